"""`presswork reproduce`: from an entry of the ledger to the same pixels."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import main
from policy.events import Private
from policy.intake.picture import open_picture
from tests.policy.ledger.test_questions import released
from tests.support.foreign_files import saved
from tests.support.ledger import Ledger
from tests.support.pictures import product
from workers.intake.sanitise import encoded
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import Registry
from workers.sampling.given.pictures import GivenPicture, pictures_for
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


def append(database, recipe, receipt, number=0, prompt="a red apple", **more):
    event = released(
        number, recipe=recipe.to_json(), receipt=receipt, batch_size=1, batch_position=0, prompt=Private(prompt),
        negative_prompt=Private(""), **more,
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


def test_a_picture_that_it_was_made_from_is_found_by_its_digest(database, tmp_path):
    registry = Registry.load(MODELS)
    card = registry.get("studio")
    recipe = Recipe(card.name, card.revision, 64, 64, 1, card.scheduler, 1.0, task="image-to-image", strength=1.0)
    source = tmp_path / "mug.jpg"
    source.write_bytes(saved(product(80, 64, seed=4), "JPEG"))
    stored = encoded(open_picture(source.read_bytes()))
    item = ClaimedItem("i0", "r", "t", "c", 0, "a red apple", "", 7)
    given = {"i0": pictures_for(recipe, {"image": GivenPicture.read(stored)})}
    sampled = DiffusersSampler(registry, "cpu", 1).sample(Claim("b", 1, recipe, "gpu", (item,)), Watch(), given)
    named = {"role": "image", "input_id": "in-1", "sha256": hashlib.sha256(stored).hexdigest()}
    append(database, recipe, sampled.positions[0].receipt, inputs=(named,))
    told = call(database, "a0", "--source", str(source))
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["result"] == "exact"
    other = tmp_path / "other.png"
    other.write_bytes(saved(product(80, 64, seed=5)))
    missing = call(database, "a0", "--source", str(other))
    assert missing.exit_code == 2
    assert "none of the sources is its input in-1 (image)" in missing.output
