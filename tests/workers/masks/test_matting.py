"""Matting and foreground estimation beside a known alpha and known colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.support.products import Shot, bottle
from workers.masks.foreground import foreground
from workers.masks.mask import Mask, supplied
from workers.masks.matting import KNOWN_GROUND, KNOWN_PRODUCT, UNKNOWN, matte, trimap


def rough(shot: Shot) -> Mask:
    """The mask as a network gives it: without hairs, and an edge that is two pixels off."""
    solid = cv2.morphologyEx(shot.alpha, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    return supplied(cv2.dilate(cv2.GaussianBlur(solid, (0, 0), 1.5), np.ones((3, 3), np.uint8)), shot.alpha.shape)


@pytest.mark.parametrize("side", [256, 800])  # solved whole, and solved small
@pytest.mark.parametrize("before", ["white", "studio"])
def test_the_edge_comes_nearer_to_the_known_alpha(before: str, side: int) -> None:
    shot = bottle(side, ground=before, seed=3)
    given = rough(shot)
    known = trimap(given)
    solved = matte(shot.picture, given, known)
    band = known == UNKNOWN
    errors = [float(np.abs(mask.alpha.astype(float) - shot.alpha)[band].mean()) for mask in (given, solved)]
    assert errors[1] < 0.45 * errors[0]
    assert errors[1] < 16  # levels, on the band alone
    assert (solved.alpha[known == KNOWN_PRODUCT] == 255).all()
    assert (solved.alpha[known == KNOWN_GROUND] == 0).all()
    assert solved.method == "supplied, matting"


def test_the_same_picture_gives_the_same_alpha() -> None:
    shot = bottle(128, ground="studio")
    first, again = (matte(shot.picture, rough(shot)).sha256 for _ in range(2))
    assert first == again


def test_flat_colours_and_a_mask_without_an_edge_are_solved() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    alpha = np.zeros((64, 64), np.uint8)
    alpha[20:40, 20:40] = 255
    flat = matte(grey, supplied(alpha, (64, 64)))
    assert np.isfinite(flat.alpha).all()
    assert flat.product[24:36, 24:36].all()
    known = np.where(alpha > 0, KNOWN_PRODUCT, KNOWN_GROUND).astype(np.uint8)
    assert matte(grey, supplied(alpha, (64, 64)), known).alpha.tolist() == alpha.tolist()


@pytest.mark.parametrize("before", ["white", "black", "studio", "busy"])
def test_the_product_keeps_its_own_colours_at_the_edge(before: str) -> None:
    shot = bottle(256, ground=before, seed=1)
    found = foreground(shot.picture, shot.alpha)
    mixed = (shot.alpha > 25) & (shot.alpha < 230)
    left = np.abs(shot.picture.astype(float) - shot.product)[mixed].mean()
    assert np.abs(found.astype(float) - shot.product)[mixed].mean() < 0.3 * left
    opaque = shot.alpha == 255
    assert (found[opaque] == shot.picture[opaque]).all()
