"""Background tasks: what is cut out, what is put back, and what is recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rfc8785

from policy.marks.locks.measures import lock_measures
from tests.support.masks import TrueFinder
from tests.support.pictures import texture
from tests.support.products import Shot, bottle
from workers.errors import MaskRefused
from workers.masks.backgrounds import fitted_ground, remove_background, replace_background
from workers.masks.mask import MaskSource
from workers.masks.options import GroundOptions, Placement

SIDE = 200


@pytest.fixture(scope="module")
def shot() -> Shot:
    return bottle(SIDE, ground="studio", seed=1)


def test_a_product_on_a_new_ground_is_the_source_inside_and_the_ground_outside(shot: Shot) -> None:
    removed = remove_background(shot.picture, TrueFinder(shot.alpha))
    ground = texture(SIDE, SIDE, seed=4)
    made = replace_background(removed, ground, GroundOptions(shadow=None))
    alpha = removed.cutout.alpha
    assert made.lock.to_json() == {"pixels": int((alpha == 255).sum()), "largest": 0, "mean": 0.0}
    assert lock_measures(shot.picture, made.picture, alpha).largest == 0
    assert (made.picture[alpha == 0] == ground[alpha == 0]).all()
    assert (replace_background(removed, ground).picture == replace_background(removed, ground).picture).all()


def test_what_is_recorded_names_both_masks_and_fits_the_ledger(shot: Shot) -> None:
    removed = remove_background(shot.picture, TrueFinder(shot.alpha))
    said = removed.to_json()
    assert json.loads(rfc8785.dumps(said)) == said
    assert said["chosen"]["sha256"] == removed.chosen.mask.sha256 != said["mask"]["sha256"]
    assert said["mask"]["method"] == "known, matting"
    assert (removed.hold, removed.reasons) == (False, ())


def test_a_stated_edge_is_kept_and_a_hard_one_is_solved_nearby(shot: Shot) -> None:
    own = remove_background(shot.picture, None, alpha=shot.alpha)
    assert (own.cutout.alpha == shot.alpha).all()
    assert (own.cutout.colours == shot.picture).all()
    soft = remove_background(shot.picture, None, given=shot.alpha)
    assert (soft.cutout.alpha == shot.alpha).all()
    assert soft.mask.source is MaskSource.SUPPLIED
    hard = np.where(shot.alpha >= 128, 255, 0).astype(np.uint8)
    solved = remove_background(shot.picture, None, given=hard)
    assert (solved.cutout.alpha != hard).any()
    assert ((solved.cutout.alpha >= 128) != (hard >= 128)).mean() < 0.02


def test_a_mask_that_is_held_still_gives_a_picture(shot: Shot) -> None:
    wrong = np.zeros((SIDE, SIDE), np.uint8)
    wrong[:, :60] = 255
    removed = remove_background(shot.picture, TrueFinder(wrong))
    assert removed.hold
    assert any("border" in reason for reason in removed.reasons)
    assert replace_background(removed, texture(SIDE, SIDE)).lock.largest == 0


def test_a_ground_of_another_size_is_the_canvas(shot: Shot) -> None:
    removed = remove_background(shot.picture, None, alpha=shot.alpha)
    made = replace_background(removed, texture(320, 240), GroundOptions(Placement(0.5, 0.6)))
    assert made.picture.shape == (240, 320, 3)
    assert made.lock.largest == 0
    assert (made.placed.alpha == 255).sum() == (shot.alpha == 255).sum()
    with pytest.raises(MaskRefused, match="nothing of the product"):
        replace_background(removed, texture(320, 240), GroundOptions(Placement(x=1.9)))


@pytest.mark.parametrize("size", [(128, 128), (500, 300), (200, 200)])
def test_a_drawn_ground_is_fitted_to_the_product_s_picture(size: tuple[int, int]) -> None:
    ground = texture(*size)
    assert fitted_ground(ground, 200, 150).shape == (150, 200, 3)
    assert (fitted_ground(ground, *size) == ground).all()
