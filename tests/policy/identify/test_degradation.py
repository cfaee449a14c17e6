"""Degraded copies are compared with an original that lost as much; near twins gain nothing by it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.pictures.attacks import ATTACKS
from bench.pictures.scenes import scene
from policy.identify.answer import IdentificationFinding
from policy.identify.content.compare import compare
from policy.identify.content.degradation import degraded_similarity
from policy.identify.register import FRAME, by_frame, lay_back, resized
from tests.policy.identify.test_search import Shelf

SMALL = [resized(scene(seed, variant), 128, 128) for seed in (1, 2, 4) for variant in (0, 1)]


@pytest.fixture(scope="module")
def small() -> Shelf:
    """Pictures of 128 pixels a side, two variants each of three scenes."""
    return Shelf(SMALL)


@pytest.mark.parametrize("attack", ["half + jpeg 50", "jpeg 30"])
@pytest.mark.parametrize("number", range(len(SMALL)))
def test_a_small_and_badly_saved_copy_is_named(small: Shelf, attack: str, number: int) -> None:
    answer = small.asked(ATTACKS[attack](small.marked[number], np.random.default_rng(number)))
    found = {IdentificationFinding.OURS, IdentificationFinding.SHARES_CONTENT}  # the code is gone from most of them
    assert answer.finding in found, answer.to_json()
    assert answer.asset == small.known[number]


def test_a_worn_twin_is_not(small: Shelf) -> None:
    for seed in (1, 2, 4):
        twin = ATTACKS["half + jpeg 50"](resized(scene(seed, 7), 128, 128), np.random.default_rng(seed))
        assert small.asked(twin).finding is IdentificationFinding.NOT_FOUND


def test_wear_is_told_from_change() -> None:
    original = SMALL[0]
    copy = ATTACKS["half + jpeg 50"](original, np.random.default_rng(0))
    found = by_frame((copy.shape[1], copy.shape[0]), (128, 128))
    plainly = compare(*lay_back(copy, found.matrix, (128, 128)), resized(original, FRAME, FRAME))
    worn = degraded_similarity(copy, found, original)
    assert worn.detail > 0.98 > plainly.detail
    changed = copy.copy()
    changed[20:44, 20:44] = 255 - changed[20:44, 20:44]
    assert degraded_similarity(changed, found, original).whole < 0.97
