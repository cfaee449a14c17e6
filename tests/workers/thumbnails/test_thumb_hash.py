"""ThumbHash as its specification's own program writes it (npm package thumbhash 0.1.1): the same bytes."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from workers.thumbnails.thumb_hash import thumb_hash

# Width, height, the formulas of red, green, blue and alpha by x and y, and what rgbaToThumbHash answered.
VECTORS = {
    "wide": (40, 24, lambda x, y: (x * 6, y * 10, x * y, 255), "mwgOHJhgdndwiIiGiIbyow/3hw=="),
    "tall": (24, 40, lambda x, y: (x * x + y * 3, x * y + 90, y * y * 2 + x * 5, 255), "HtgFFAYAI2JHdVRJNzYIWB4ghA=="),
    "square": (
        32,
        32,
        lambda x, y: (x * x + y * y * 3, y * 8 + x * x, x * y * 2 + y, 255),
        "XvgFFwJDZHYgM4ZChkqGSHaF9dzGNPoL",
    ),
    "see-through": (
        *(30, 30),
        lambda x, y: (250, x * 8, y * 8, np.where((x - 15) ** 2 + (y - 15) ** 2 < 144, 255, 0)),
        "KAqHHQY3kH6AfMnmd4R/9oaHB1iHiICJWA==",
    ),
    "narrow": (100, 5, lambda x, y: (x * x + y, x * y + y * 31, x * 3 + y * 50, 255), "XBcKGZBlVEdgg0iWYoFw9cg="),
    "nothing": (8, 8, lambda x, y: (9, 9, 9, 0), "AAiCBQAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_picture_has_the_hash_of_the_reference(name: str) -> None:
    width, height, formula, said = VECTORS[name]
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([np.broadcast_to(np.asarray(each) % 256, (height, width)) for each in formula(x, y)], axis=-1)
    assert thumb_hash(pixels.astype(np.uint8)) == said


def test_one_colour_has_the_mean_and_no_noise_of_arithmetic() -> None:
    written = base64.b64decode(thumb_hash(np.full((16, 16, 4), (120, 30, 200, 255), np.uint8)))
    assert written[:5].hex() == "1db4020700"  # as the reference; its noise follows, times a scale of zero
    assert set(written[5:]) == {0}


def test_a_picture_that_is_too_large_to_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="101 x 4"):
        thumb_hash(np.zeros((4, 101, 4), np.uint8))
