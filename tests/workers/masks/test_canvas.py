"""Canvas and control maps: grown masks, room for outpainting, exact pixels, lines."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.pictures import product, texture
from workers.errors import MaskRefused
from workers.masks.canvas import MAX_ROOM, Room, cleared, feathered, grown, outpaint_canvas, put_back
from workers.masks.control import canny, given

PICTURE = texture(90, 70)


def square() -> np.ndarray:
    mask = np.zeros((70, 90), np.uint8)
    mask[30:40, 40:50] = 255
    return mask


def test_a_mask_grows_shrinks_and_fades() -> None:
    mask = square()
    assert (grown(mask, 0) == mask).all()
    assert grown(mask, 3)[30:40, 37:53].all()
    assert grown(mask, 3).sum() > mask.sum() > grown(mask, -3).sum() == 16 * 255
    soft = feathered(mask, 4)
    assert (soft[30:40, 40:50] == 255).all()
    assert soft[35, 50:56].tolist() == sorted(soft[35, 50:56].tolist(), reverse=True)
    assert 0 < soft[35, 53] < 255
    assert soft[35, 55] == 0
    full = np.full((8, 8), 255, np.uint8)
    assert (grown(full, -2) == 255).all()  # nothing is known beyond the picture's border


@pytest.mark.parametrize("room", [Room(left=20), Room(top=5, bottom=9), Room(1, 2, 3, 4), Room(right=800)])
def test_an_outpaint_canvas_keeps_the_picture_and_marks_the_room(room: Room) -> None:
    canvas = outpaint_canvas(PICTURE, room, seed=5)
    height, width = canvas.mask.shape
    assert canvas.picture.shape == (height, width, 3)
    assert (height % 8, width % 8) == (0, 0)
    assert 0 <= width - (90 + room.left + room.right) < 8
    assert (canvas.picture[canvas.kept] == PICTURE).all()
    outside = np.ones_like(canvas.mask)
    outside[canvas.kept] = 0
    assert (canvas.mask[outside > 0] == 255).all()
    assert (canvas.mask[canvas.kept][10:-10, 10:-10] == 0).all()
    again = outpaint_canvas(PICTURE, room, seed=5)
    assert (again.picture == canvas.picture).all()
    assert (outpaint_canvas(PICTURE, room, seed=6).picture != canvas.picture).any()


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room(), "no room"),
        (Room(left=-1), "left: -1 pixels"),
        (Room(bottom=MAX_ROOM + 1), "bottom: 2049 pixels"),
    ],
)
def test_room_beyond_the_limits_is_refused(room: Room, said: str) -> None:
    with pytest.raises(MaskRefused, match=said):
        outpaint_canvas(PICTURE, room, seed=0)


def test_untouched_pixels_are_put_back_exactly() -> None:
    drawn, mask = np.clip(PICTURE.astype(int) + 9, 0, 255).astype(np.uint8), square()
    whole = put_back(drawn, PICTURE, mask)
    assert (whole[mask == 255] == drawn[mask == 255]).all()
    assert (whole[mask == 0] == PICTURE[mask == 0]).all()
    soft = put_back(drawn, PICTURE, mask, feather=5)
    assert (soft[mask == 255] == drawn[mask == 255]).all()
    assert (soft[feathered(mask, 5) == 0] == PICTURE[feathered(mask, 5) == 0]).all()
    with pytest.raises(MaskRefused, match="differ in size"):
        put_back(drawn[:-1], PICTURE, mask)


def test_lines_follow_the_edges_of_the_product() -> None:
    picture = product(200, 200, seed=3)
    lines = canny(picture)
    assert lines.shape == picture.shape
    assert set(np.unique(lines)) == {0, 255}
    assert 0.001 < (lines[..., 0] > 0).mean() < 0.1
    assert (canny(picture, (10, 20)) > 0).sum() > (lines > 0).sum()
    assert not lines[:20].any()


def test_a_map_without_lines_or_of_another_size_is_refused() -> None:
    with pytest.raises(MaskRefused, match="no lines"):
        canny(np.full((64, 64, 3), 200, np.uint8))
    for thresholds in ((0, 20), (30, 20), (1, 255)):
        with pytest.raises(MaskRefused, match="the lower first"):
            canny(PICTURE, thresholds)
    with pytest.raises(MaskRefused, match="the control map has 64 x 64 pixels"):
        given(np.full((64, 64), 255, np.uint8), (64, 65))
    with pytest.raises(MaskRefused, match="one channel"):
        given(np.zeros((64, 64, 3), np.uint8), (64, 64))


def test_a_thing_is_cleared_off_its_ground_and_what_lies_far_from_it_stays() -> None:
    y, x = np.mgrid[:200, :240].astype(np.float32)
    ground = np.dstack([120 + 0.3 * x, 200 - 0.2 * y, 90 + 0.1 * (x + y)]).round().astype(np.uint8)
    thing = np.where((x - 120) ** 2 + (y - 110) ** 2 < 45**2, 255, 0).astype(np.uint8)
    picture = np.where(thing[..., None] > 0, np.uint8(20), ground)
    found = cleared(picture, thing)
    assert np.abs(found.astype(int) - ground).max() <= 6
    assert np.array_equal(found[:10], ground[:10])
    assert np.array_equal(cleared(ground, np.zeros_like(thing)), ground)
