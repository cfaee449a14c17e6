"""Highest and lowest channel of a pixel: what numpy's own slow way says, for every kind of picture that we have."""

from __future__ import annotations

import numpy as np
import pytest

from policy.levels import highest, lowest


@pytest.mark.parametrize("shape", [(4, 5, 3), (7, 3), (4, 5, 1), (0, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_they_are_the_last_axis_maximum_and_minimum(shape: tuple[int, ...], kind: type) -> None:
    pixels = (np.random.default_rng(1).random(shape) * 200 - (100 if kind != np.uint8 else 0)).astype(kind)
    assert np.array_equal(highest(pixels), pixels.max(axis=-1))
    assert np.array_equal(lowest(pixels), pixels.min(axis=-1))
    assert highest(pixels).dtype == kind
