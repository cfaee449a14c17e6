"""Prompt syntax: weights are read where they are asked for, refused by their place, and hide nothing from policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.schemas.requests import SingleBody
from api.submission.recipes import RecipeBook, SamplingOptions
from tests.support.client import ApiTenant, campaign, places, problem
from tests.support.tiny_models.instances import build
from workers.recipes import Recipe
from workers.sampling.cards.registry import Registry
from workers.settings import Settings

WEIGHTS = {"prompt_syntax": "weights"}
FILE = 'object,negative_prompt\n"(car:1.2)",\n"((cup))",[clothes]\n'
LONG = "a (red apple:1.2), " + "(glossy apple), " * 40 + "on a (table:0.5)"


def items_of(caller: Any, accepted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(accepted["links"]["items"]).json()["data"]
    return found


def test_it_is_part_of_the_recipe_and_absent_where_it_was_not_asked_for(api: ApiTenant) -> None:
    caller = api.caller()
    recipes, prompt = [], "a (red:1.2) backpack on a white background"
    for asked in ({}, {"prompt_syntax": None}, WEIGHTS):
        accepted = caller.post("/v1/requests", json={"prompt": prompt, **asked}).json()
        assert accepted["warnings"] == []
        (item,) = items_of(caller, accepted)
        assert item["prompt"] == prompt
        recipes.append(item["recipe"])
    assert [recipe.get("prompt_syntax", "absent") for recipe in recipes] == ["absent", "absent", "weights"]
    ids = [Recipe.from_json(recipe).id for recipe in recipes]
    assert ids[0] == ids[1] != ids[2]


def test_a_campaign_is_warned_of_weights_only_where_they_are_words(api: ApiTenant) -> None:
    caller = api.caller()
    spec = {"template": "a {object}, [blurry]", "num_inference_steps": 20, "guidance_scale": 5}
    told = [warning["code"] for warning in campaign(caller, FILE, spec).json()["warnings"]]
    assert told.count("leftover_weight") == 3, "the template, and two columns"
    accepted = campaign(caller, FILE, spec | WEIGHTS).json()
    assert "leftover_weight" not in [warning["code"] for warning in accepted["warnings"]]
    assert {item["recipe"]["prompt_syntax"] for item in items_of(caller, accepted)} == {"weights"}


@pytest.mark.parametrize(
    "text", ["(" * 1000, "a (car:1e9)", "a (car:nan)", "a (car:-1)", "[[[", "a (car", "(:1.2)", "a )"]
)
def test_what_cannot_be_read_is_refused_by_field(api: ApiTenant, text: str) -> None:
    caller = api.caller()
    for field in ("prompt", "negative_prompt"):
        asked = {"prompt": "a car", "guidance_scale": 5, "num_inference_steps": 20, **WEIGHTS, field: text}
        document = problem(caller.post("/v1/requests", json=asked), 422, "invalid_body")
        assert [(error["code"], error["field"]) for error in document["errors"]] == [("prompt_syntax", field)]
        assert document["errors"][0]["remedy"]
    assert api.stored() == 0


def test_rows_that_cannot_be_read_are_refused_by_row_and_column(api: ApiTenant) -> None:
    table = 'object,negative_prompt\n"(car:1.2)",\n"car (1:64)",\ncar,"(blur"\n'
    spec = {"template": "a {object}", "num_inference_steps": 20, "guidance_scale": 5, **WEIGHTS}
    document = problem(campaign(api.caller(), table, spec), 422, "invalid_campaign")
    assert places(document) == [("prompt_syntax", 2, "object"), ("prompt_syntax", 3, "negative_prompt")]
    assert document["errors"][0]["message"] == "character 9: 64 is no weight from 0 to 2"


def test_brackets_hide_no_word_from_the_rules(api: ApiTenant) -> None:
    caller = api.caller()
    for text in ("a (nsfw:1.2) poster", "a n(s:1.2)fw poster", "a n[s][f]w poster"):
        accepted = caller.post("/v1/requests", json={"prompt": text, **WEIGHTS}).json()
        assert (accepted["refused_items"], accepted["refused"][0]["rule"]) == (1, "sexual/explicit"), text


def test_the_lost_end_is_counted_in_the_words_and_shown_as_it_was_sent(api: ApiTenant) -> None:
    caller = api.caller()
    accepted = caller.post("/v1/requests", json={"prompt": LONG, **WEIGHTS}).json()
    assert "prompt_cut" in [warning["code"] for warning in accepted["warnings"]]
    (item,) = items_of(caller, accepted)
    assert item["unread_prompt"].endswith("on a (table:0.5)")
    assert LONG.endswith(item["unread_prompt"])
    fits = "(" * 14 + "a red apple" + ")" * 14 + " on a (table:1.1)"
    words = fits.replace("(" * 14, "[" * 7 + "(" * 7).replace(")" * 14, ")" * 7 + "]" * 7)
    accepted = caller.post("/v1/requests", json={"prompt": words, **WEIGHTS}).json()
    assert "prompt_cut" not in [warning["code"] for warning in accepted["warnings"]]


def test_a_model_that_is_not_read_by_clip_refuses_it_by_name(tmp_path: Path) -> None:
    card = build(tmp_path, "ddpm")
    book = RecipeBook(card, Settings.model_construct(), Registry({card.name: card}))
    (found,) = book.complaints(SingleBody(prompt="", prompt_syntax="weights"))
    assert (found.code, found.field, found.message) == (
        "model_limit",
        "prompt_syntax",
        "ddpm reads no weights of words",
    )
    assert book.complaints(SingleBody(prompt="")) == []


def test_rows_that_a_plan_kept_before_this_option_are_read_without_it() -> None:
    stored = [64, 64, 4, 1.5, "DDIMScheduler", 1, [], [], "", "text-to-image", None, "", None, "", "", None]
    assert SamplingOptions.from_json(stored).prompt_syntax == ""
