"""Plain pictures: parts of a gradient are found by where its colours lie, and only among plain ones."""

from __future__ import annotations

import numpy as np
import pytest

from bench.identify import asked_of
from bench.pictures.artworks import artwork
from bench.pictures.attacks import ATTACKS
from bench.pictures.gallery import Released, Shelf
from policy.fingerprints import Image
from policy.identify.answer import IdentificationFinding
from policy.identify.low_texture import THUMBNAIL_BYTES, LowTextureIndex, thumbnail
from policy.marks import watermark

GRADIENTS = (3, 11, 27, 35)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Four gradients and two pictures full of features."""
    images = [artwork(seed) for seed in (*GRADIENTS, 0, 7)]
    marked = [watermark.embed(each, 1000 + n, watermark.ladder(each)[0]) for n, each in enumerate(images)]
    return Shelf([Released(str(n), 1000 + n, each, {}) for n, each in enumerate(marked)])


@pytest.mark.parametrize("attack", ["crop 75%", "crop 50%"])
def test_a_part_of_a_gradient_is_found(shelf: Shelf, attack: str) -> None:
    """It has no features, and no hash that a part of it shares. Where it lies is known to a few pixels only."""
    for number in range(len(GRADIENTS)):
        part = ATTACKS[attack](shelf.originals[number].pixels, np.random.default_rng(number))
        answer, _ = asked_of(part, shelf)
        assert answer.finding in {IdentificationFinding.OURS, IdentificationFinding.OURS_ALTERED}
        assert answer.asset is not None
        assert answer.asset.asset_id == str(number)


def test_another_gradient_is_not_found(shelf: Shelf) -> None:
    assert asked_of(artwork(43), shelf)[0].finding is IdentificationFinding.NOT_FOUND


def _part(image: Image, left: float, top: float, share: float) -> Image:
    height, width = image.shape[:2]
    return image[
        round(top * height) : round((top + share) * height), round(left * width) : round((left + share) * width)
    ]


@pytest.mark.parametrize(("left", "top", "share"), [(0, 0, 1), (0.05, 0.25, 0.71), (0.13, 0, 0.87)])
def test_the_part_is_where_it_was(left: float, top: float, share: float) -> None:
    index = LowTextureIndex()
    index.add([5, 6, 7], [thumbnail(artwork(3)), b"", thumbnail(artwork(11))])
    (found, *_) = index.nearest([_part(artwork(11), left, top, share)], most=2)
    assert found.number == 7
    assert (found.window.left, found.window.top, found.window.share) == pytest.approx((left, top, share), abs=0.1)


def test_what_is_not_plain_is_never_compared_by_colour() -> None:
    index = LowTextureIndex()
    index.add([0], [b""])
    assert index.nearest([artwork(3)], most=3) == []
    assert len(thumbnail(artwork(3))) == THUMBNAIL_BYTES
