"""Compositing: exact pixels where they are promised, light where they are mixed, and shadows."""

from __future__ import annotations

import numpy as np
import pytest

from policy.marks.locks.measures import lock_measures
from tests.support.pictures import texture
from tests.support.products import Shot, bottle
from workers.errors import MaskRefused
from workers.masks.compositing import (
    Cutout,
    check_lock,
    composite,
    darkened,
    from_linear,
    placed,
    to_linear,
)
from workers.masks.light import USUAL, light_on
from workers.masks.options import GroundOptions, Placement, Shadow
from workers.masks.shadow import shade

SIDE = 160


@pytest.fixture(scope="module")
def shot() -> Shot:
    return bottle(SIDE, ground="studio")


@pytest.fixture(scope="module")
def cutout(shot: Shot) -> Cutout:
    colours = np.where((shot.alpha == 255)[..., None], shot.picture, np.rint(shot.product)).astype(np.uint8)
    return Cutout(colours, shot.alpha)


@pytest.mark.parametrize("shadow", [None, Shadow(), Shadow(contact=1, drop=1, angle=80, softness=0.2)])
def test_the_product_is_bit_for_bit_the_source_and_the_rest_the_ground(
    shot: Shot, cutout: Cutout, shadow: Shadow | None
) -> None:
    ground = texture(SIDE, SIDE)
    made = composite(cutout, ground, shade(cutout.alpha, shadow) if shadow else None)
    proof = lock_measures(shot.picture, made, cutout.alpha)
    assert (proof.largest, proof.mean) == (0, 0.0)
    assert proof.pixels == int((cutout.alpha == 255).sum()) > 0
    assert check_lock(cutout, made) == proof
    if shadow is None:
        assert (made[cutout.alpha == 0] == ground[cutout.alpha == 0]).all()


def test_a_changed_pixel_of_the_product_is_seen(shot: Shot, cutout: Cutout) -> None:
    made = composite(cutout, texture(SIDE, SIDE))
    y, x = np.argwhere(cutout.alpha == 255)[100]
    made[y, x, 1] ^= 8
    assert check_lock(cutout, made).largest == 8
    assert check_lock(cutout, made).to_json()["largest"] == 8


def test_the_inset_leaves_the_edge_out_and_no_pixels_are_no_proof(shot: Shot) -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    other = np.zeros((40, 40, 3), np.uint8)
    other[10, 10:30] = 9
    plain = np.zeros((40, 40, 3), np.uint8)
    assert lock_measures(plain, other, alpha).largest == 9
    assert lock_measures(plain, other, alpha, inset=1).to_json() == {"pixels": 324, "largest": 0, "mean": 0.0}
    assert lock_measures(plain, other, alpha, inset=15).pixels == 0


def test_mixed_pixels_are_mixed_in_light() -> None:
    cutout = Cutout(np.full((1, 1, 3), 255, np.uint8), np.full((1, 1), 128, np.uint8))
    made = composite(cutout, np.zeros((1, 1, 3), np.uint8))
    assert made.ravel().tolist() == [188] * 3  # half the light of white, not half its level
    levels = np.arange(256, dtype=np.uint8)
    assert from_linear(to_linear(levels)).tolist() == levels.tolist()


def test_a_ground_of_another_size_is_refused(cutout: Cutout) -> None:
    with pytest.raises(MaskRefused, match="the ground has 161 x 160 pixels, the product's canvas 160 x 160"):
        composite(cutout, texture(SIDE + 1, SIDE))


def test_a_moved_product_keeps_its_pixels_and_a_scaled_one_has_no_rim(cutout: Cutout) -> None:
    moved = placed(cutout, 200, 190, Placement(0.6, 0.55))
    top, left = round(0.55 * 190 - 80), round(0.6 * 200 - 80)
    assert (moved.alpha[top : top + SIDE, left : left + SIDE] == cutout.alpha[: 190 - top, : 200 - left]).all()
    assert (moved.colours[top : top + SIDE, left : left + SIDE] == cutout.colours[: 190 - top, : 200 - left]).all()
    poisoned = Cutout(np.where((cutout.alpha == 0)[..., None], np.uint8(255), cutout.colours), cutout.alpha)
    small = [placed(each, SIDE, SIDE, Placement(scale=0.5)) for each in (cutout, poisoned)]
    seen = small[0].alpha > 8  # what a pixel without alpha holds is not mixed in
    assert np.abs(small[0].colours[seen].astype(int) - small[1].colours[seen]).max() <= 1


@pytest.mark.parametrize("place", [{"x": 1.9}, {"y": -0.9}])
def test_a_product_that_would_not_be_seen_is_refused(cutout: Cutout, place: dict[str, float]) -> None:
    with pytest.raises(MaskRefused, match="nothing of the product lies on the canvas"):
        placed(cutout, SIDE, SIDE, Placement(**place))


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"placement": {"scale": 0.0}}, r"placement.scale is 0; 0.05 to 4 are possible"),
        ({"placement": {"scale": float("nan")}}, r"placement.scale is nan"),
        ({"placement": {"x": 5}}, r"placement.x is 5; -1 to 2"),
        ({"placement": {"x": "0.5"}}, r"placement.x is '0.5'"),
        ({"placement": {"z": 1}}, r"placement has no 'z'; it has scale, x, y"),
        ({"placement": []}, r"placement is list"),
        ({"shadow": {"angle": 81}}, r"shadow.angle is 81; -80 to 80"),
        ({"shadow": {"drop": True}}, r"shadow.drop is"),
        ({"shade": {}}, r"ground options has no 'shade'"),
    ],
)
def test_an_option_beyond_its_bounds_is_named(stored: dict[str, object], said: str) -> None:
    with pytest.raises(MaskRefused, match=said):
        GroundOptions.from_json(stored)


def test_options_are_what_they_were_stored_as() -> None:
    for options in (
        GroundOptions(),
        GroundOptions(Placement(0.4, 0.6, 0.5), None),
        GroundOptions(shadow=Shadow(angle=9)),
    ):
        assert GroundOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize("angle", [-50, -25, 40])
def test_the_light_of_a_product_is_found_along_its_outline(angle: float) -> None:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x, y = (x - SIDE / 2) / 60, (y - SIDE / 2) / 60
    deep = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    way = np.radians(angle)
    bright = np.clip(0.2 + 0.5 * (np.sin(way) * x - np.cos(way) * y) + 0.3 * deep, 0, 1)
    ball = Cutout(from_linear(np.repeat(bright[..., None], 3, axis=2)), ((x**2 + y**2) < 1).astype(np.uint8) * 255)
    found = light_on(ball)
    assert found.used == pytest.approx(angle, abs=6)
    plain = Cutout(np.full((SIDE, SIDE, 3), 90, np.uint8), ball.alpha)
    assert light_on(plain).used == USUAL


def test_the_shadow_lies_under_the_product_and_away_from_the_light(cutout: Cutout) -> None:
    foot = int(np.flatnonzero((cutout.alpha >= 128).any(axis=1))[-1])
    from_left, from_right = (shade(cutout.alpha, Shadow(contact=0, angle=angle)) for angle in (-45, 45))
    middle = SIDE // 2
    assert from_left[:, middle + 30 :].sum() > 5 * from_left[:, : middle - 30].sum()
    assert from_right[:, : middle - 30].sum() > 5 * from_right[:, middle + 30 :].sum()
    contact = shade(cutout.alpha, Shadow(drop=0))
    assert contact[foot + 1].max() > 0.1
    assert contact[: foot // 2].max() == 0
    assert not shade(np.zeros_like(cutout.alpha), Shadow()).any()


def test_a_white_ground_stays_white_outside_the_shadow(cutout: Cutout) -> None:
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    dark = shade(cutout.alpha, Shadow())
    made = composite(cutout, white, dark)
    assert (made[(dark == 0) & (cutout.alpha == 0)] == 255).all()
    assert ((dark == 0) & (cutout.alpha == 0)).mean() > 0.4
    assert (darkened(white, np.zeros_like(dark)) == white).all()
