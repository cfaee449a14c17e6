"""`presswork reproduce`: from an entry of the ledger to the same pixels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import main
from policy.events import Private
from tests.policy.ledger.test_questions import released
from tests.support.ledger import Ledger
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import Registry
from workers.sampling.sampler import DiffusersSampler

MODELS = Path(__file__).parents[3] / "models"


class Watch:
    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


@pytest.fixture(scope="module")
def drawn():
    """One image of studio, and where it came off."""
    registry = Registry.load(MODELS)
    card = registry.get("studio")
    recipe = Recipe(card.name, card.revision, 64, 64, 1, card.scheduler, 1.0)
    item = ClaimedItem("i0", "r", "t", "c", 0, "a red apple", "", 7)
    sampled = DiffusersSampler(registry, "cpu", 1).sample(Claim("b", 1, recipe, "gpu", (item,)), Watch())
    return recipe, sampled.positions[0]


def call(database, *words):
    environment = {"PRESSWORK_DATABASE_URL": database.url("auditor")}
    return CliRunner().invoke(main, ["reproduce", *words, "--device", "cpu", "--json"], env=environment)


def append(database, recipe, receipt, number=0, prompt="a red apple"):
    event = released(
        number, recipe=recipe.to_json(), receipt=receipt, batch_size=1, batch_position=0, prompt=Private(prompt),
        negative_prompt=Private(""),
    )  # fmt: skip
    Ledger(database).append(event)


def test_a_released_asset_is_drawn_again_from_the_ledger(database, drawn, tmp_path):
    recipe, place = drawn
    append(database, recipe, place.receipt)
    told = call(database, "a0", "-o", str(tmp_path / "a.png"))
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == {"result": "exact", "pixels": place.receipt["pixels"]}
    assert (tmp_path / "a.png").stat().st_size > 100
    append(database, recipe, place.receipt | {"pixels": "0" * 64, "diffusers": "0.1"}, number=1)
    other = call(database, "a1")
    assert other.exit_code == 1
    assert json.loads(other.stdout)["differs"].startswith("diffusers: 0.1 then, ")
    missing = call(database, "a9")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "the ledger has no released asset a9" in missing.output
