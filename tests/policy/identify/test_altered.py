"""Altered copies, collages, other colours and moved codes: what the map says of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bench.pictures.artworks import artwork
from bench.pictures.attacks import ATTACKS
from bench.pictures.scenes import scene
from policy.identify.answer import IdentificationFinding
from policy.identify.register import resized
from policy.marks import watermark
from tests.policy.identify.test_search import Shelf


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Five kinds of scenes, two variants each."""
    return Shelf([scene(seed, variant) for seed in range(5) for variant in range(2)])


def test_words_across_a_picture_are_in_the_map(shelf: Shelf) -> None:
    answer = shelf.asked(ATTACKS["text"](shelf.marked[8], np.random.default_rng(8)))
    assert (answer.finding, answer.asset, answer.verified) == (
        IdentificationFinding.OURS_ALTERED, shelf.known[8], False)  # fmt: skip
    assert answer.agreement
    told = answer.agreement.rows
    assert {1, 2} < {row for row in range(16) if "x" in told[row]} <= {1, 2, 3, 13, 14}, told
    assert "shows something else" in " ".join(answer.reasons)


def test_an_object_that_was_exchanged_is_in_the_map(shelf: Shelf) -> None:
    """A fourth of the picture is another's; the code still reads from the rest."""
    altered, (height, width) = shelf.marked[4].copy(), shelf.marked[4].shape[:2]
    altered[: height // 2, : width // 2] = resized(artwork(37), width // 2, height // 2)
    answer = shelf.asked(altered)
    assert (answer.finding, answer.asset) == (IdentificationFinding.OURS_ALTERED, shelf.known[4]), answer.to_json()
    assert answer.agreement
    assert 0.15 < answer.agreement.other < 0.35
    corner = "".join(row[1:7] for row in answer.agreement.rows[1:7])
    assert corner.count("x") > 0.7 * len(corner)


def test_two_of_ours_in_one_picture_are_both_named(shelf: Shelf) -> None:
    page = np.full((560, 1120, 3), 250, np.uint8)
    page[40:520, 40:520], page[40:520, 600:1080] = (resized(shelf.marked[n], 480, 480) for n in (2, 6))
    answer = shelf.asked(page)
    assert answer.asset
    named = [(answer.asset.asset_id, answer.place), *((each.asset.asset_id, each.place) for each in answer.also)]
    assert sorted(asset for asset, _ in named) == ["2", "6"], answer.to_json()
    left = {asset: place[0][0] for asset, place in named}
    assert left["2"] == pytest.approx(40 / 1120, abs=0.02)
    assert left["6"] == pytest.approx(600 / 1120, abs=0.02)


@pytest.mark.parametrize("kind", ["invert", "sepia", "hue", "pale"])
def test_a_copy_in_other_colours_is_found(shelf: Shelf, kind: str) -> None:
    matrix = {
        "invert": -np.eye(3),
        "sepia": np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]),
        "hue": np.array([[0.75, 0.4, -0.15], [-0.05, 0.95, 0.1], [0.2, -0.1, 0.9]]),
        "pale": 0.35 * np.eye(3) + 0.65 * np.array([[0.299, 0.587, 0.114]] * 3),
    }[kind]
    copy = np.clip(shelf.marked[3] @ matrix.T + (255 if kind == "invert" else 0), 0, 255).astype(np.uint8)
    answer = shelf.asked(copy)
    assert answer.asset == shelf.known[3], answer.to_json()
    assert answer.finding in {IdentificationFinding.OURS, IdentificationFinding.SHARES_CONTENT}


@pytest.mark.parametrize("amount", [3.0, 9.0])
def test_a_code_added_to_a_sibling_is_not_verified(shelf: Shelf, amount: float) -> None:
    """The attacker has a marked picture and its source, and adds the difference to a picture that looks like it."""
    source = scene(2, 0)
    sibling = source.astype(np.float32)
    moved = np.roll(source, round(amount * 2), axis=1).astype(np.float32)
    mask = cv2.GaussianBlur(
        np.pad(np.ones((200, 200), np.float32), ((200, source.shape[0] - 400), (200, source.shape[1] - 400))),
        (0, 0),
        10,
    )[..., None]
    sibling += mask * (moved - sibling)  # the same scene, in which a part stands a few pixels elsewhere
    code = shelf.marked[4].astype(np.float32) - source
    answer = shelf.asked(np.clip(sibling + code, 0, 255).astype(np.uint8))
    assert answer.finding is IdentificationFinding.OURS_ALTERED, answer.to_json()
    assert not answer.verified


def test_a_code_written_on_a_picture_drawn_again_is_not_verified(shelf: Shelf) -> None:
    """Every place agrees by structure and colour; the ground is stained by a few levels, as another seed stains it."""
    source = scene(2, 0)
    chance = np.random.default_rng(6)
    stains = cv2.resize(
        chance.normal(0, 4, (5, 5, 3)).astype(np.float32), source.shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    again = np.clip(source + stains, 0, 255).astype(np.uint8)
    code = shelf.known[4].watermark_id
    answer = shelf.asked(ATTACKS["jpeg 60"](watermark.embed(again, code, watermark.ladder(again)[0]), chance))
    assert (answer.finding, answer.verified) == (IdentificationFinding.OURS_ALTERED, False), answer.to_json()
    assert answer.agreement
    assert answer.agreement.whole
    assert "~" in "".join(answer.agreement.rows)
    assert "drawn like it" in " ".join(answer.reasons)
