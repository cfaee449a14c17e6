"""Colour maps between a copy and its original: what they undo, and what they must not hide."""

from __future__ import annotations

import numpy as np
import pytest

from bench.pictures.copies.listed import COPIES
from bench.pictures.siblings import staged
from policy.identify.content.agreement import agreement
from policy.identify.content.recolour import coloured_like, is_recoloured, uncoloured

ORIGINAL = staged(2)[::3, ::3].copy()
KNOWN = np.full(ORIGINAL.shape[:2], 255, np.uint8)
# Levels that the map may be off on the mean. It was 15 to 30: a quarter of the places, the rare colours, was dropped.
WAYS = {
    "adobe rgb untagged": 1.0,
    "negative film": 1.0,
    "cross processed": 3.0,
    "hue +120": 1.0,
    "hue -40": 3.0,
    "duotone red and white": 1.0,
    "faded": 1.0,
}


@pytest.mark.parametrize("way", WAYS)
def test_one_map_gives_the_original_the_colours_of_its_copy(way: str) -> None:
    copy = COPIES[way](ORIGINAL, np.random.default_rng(1))
    assert is_recoloured(copy, KNOWN, ORIGINAL) or way == "adobe rgb untagged", "its shift is small"
    mapped = coloured_like(ORIGINAL, KNOWN, copy)
    assert mapped is not None
    assert np.abs(mapped.astype(int) - copy).mean() < WAYS[way]


def test_a_map_is_blind_to_what_lies_on_the_copy() -> None:
    copy = COPIES["sepia"](ORIGINAL, np.random.default_rng(1))
    covered = copy.copy()
    covered[60:120, 60:120] = (0, 255, 0)
    mapped = coloured_like(ORIGINAL, KNOWN, covered)
    assert mapped is not None
    apart = np.abs(mapped.astype(int) - copy).mean(axis=2)
    assert apart.mean() < 6
    assert not agreement(covered, KNOWN, mapped).whole, "the patch is seen in any colours"


def test_a_copy_with_something_on_it_is_not_recoloured() -> None:
    """Otherwise the map would give the thing on it the colours that it hides."""
    covered = COPIES["5 stickers"](ORIGINAL, np.random.default_rng(1))
    assert not is_recoloured(covered, KNOWN, ORIGINAL)
    assert not is_recoloured(COPIES["jpeg 15"](ORIGINAL, np.random.default_rng(1)), KNOWN, ORIGINAL)


def test_too_little_in_common_gives_no_map() -> None:
    nothing = np.zeros_like(KNOWN)
    assert coloured_like(ORIGINAL, nothing, ORIGINAL) is None
    assert uncoloured(ORIGINAL, nothing, ORIGINAL) is None
    assert not is_recoloured(255 - ORIGINAL, nothing, ORIGINAL)
