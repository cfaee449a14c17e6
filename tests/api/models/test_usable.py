"""Models that may not be used: refused at submit, by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from api.schemas.requests import SingleBody
from api.submission.recipes import RecipeBook
from workers.sampling.registry import ModelCard, Registry
from workers.settings import Settings

MODELS = Path(__file__).parents[3] / "models"


def complaints(card: ModelCard, registry: Registry, **settings: bool) -> list[tuple[str, str | None]]:
    book = RecipeBook(card, Settings.model_construct(**Settings.model_construct().__dict__ | settings), registry)
    return [(found.code, found.field) for found in book.complaints(SingleBody(prompt="a car"))]


def test_an_expired_or_unstated_model_is_refused_by_field() -> None:
    registry = Registry.load(MODELS)
    card = registry.get("studio")
    refused = [("model_not_usable", "model")]
    assert complaints(card, registry, require_stated_models=True) == []
    assert complaints(replace(card, expires=date(2020, 1, 1)), registry) == refused
    unstated = replace(card, owner="unknown")
    assert complaints(unstated, registry) == []
    assert complaints(unstated, registry, require_stated_models=True) == refused


def test_an_option_that_the_scheduler_lacks_is_refused_by_field() -> None:
    registry = Registry.load(MODELS)
    book = RecipeBook(registry.get("studio"), Settings.model_construct(), registry)
    asked = SingleBody(prompt="a car", scheduler="DPMSolverMultistepScheduler", scheduler_options=["sde", "karras"])
    assert book.complaints(asked) == []
    assert book.recipe(book.options(asked)).scheduler_options == ("karras", "sde")
    [wrong] = book.complaints(asked.model_copy(update={"scheduler": "DDIMScheduler"}))
    assert (wrong.code, wrong.field) == ("model_limit", "scheduler_options")
