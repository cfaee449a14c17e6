"""Canvas for inpainting and outpainting: masks grown and feathered, room around pictures, exact pixels back.

A model mends a little more than it was asked to, so a mask is grown before and the untouched pixels are put back
afterwards. Everything here is pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workers.errors import MaskRefused
from workers.masks.mask import Alpha, Pixels

MAX_ROOM = 2048  # pixels on one side
_FAINT = 26  # of alpha: from here on a pixel belongs to what is cleared away
_RIM = 0.12  # of the short side: how far a thing reaches beyond its mask
_SOLVED_SIDE = 64  # pixels of the longer side on which the continuation is solved
_ROUNDS = 1500
_NOISE = 18.0  # levels of the grain that fills new room: a model draws flat ground from flat ground


@dataclass(frozen=True, slots=True)
class Room:
    """Pixels to add on each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A picture to be mended, and where: 255 is drawn anew, 0 is kept. `kept` says where the source lies in it."""

    picture: Pixels
    mask: Alpha
    kept: tuple[slice, slice]


def grown(mask: Alpha, pixels: int) -> Alpha:
    """The mask larger by this many pixels, or smaller where it is below zero; round corners."""
    if pixels == 0:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pixels) + 1, 2 * abs(pixels) + 1))
    changed = cv2.dilate(mask, kernel) if pixels > 0 else cv2.erode(mask, kernel, borderValue=255)
    return np.asarray(changed, np.uint8)


def feathered(mask: Alpha, pixels: int) -> Alpha:
    """The mask with an edge that falls over this many pixels outside it. Inside it stays 255."""
    if pixels <= 0:
        return mask
    away = cv2.distanceTransform((mask < 255).astype(np.uint8), cv2.DIST_L2, 5)
    fall = np.clip(1 - away / np.float32(pixels + 1), 0, 1)
    return np.asarray(np.maximum(mask, np.rint(fall * 255)), np.uint8)


def outpaint_canvas(picture: Pixels, room: Room, *, seed: int, multiple: int = 8, overlap: int = 8) -> Canvas:
    """The picture with room around it and the mask of that room, which takes `overlap` pixels of the picture's edge.

    Both sides become multiples of `multiple`, by more room on the right and at the bottom. The room continues the
    picture's edge, blurred, with grain that follows from the seed: the same call gives the same canvas. Raises
    MaskRefused without any room, and for room that is negative or above 2048 pixels.
    """
    sides = {"left": room.left, "top": room.top, "right": room.right, "bottom": room.bottom}
    for side, pixels in sides.items():
        if not 0 <= pixels <= MAX_ROOM:
            raise MaskRefused(f"{side}: {pixels} pixels; 0 to {MAX_ROOM} can be added on a side")
    if not any(sides.values()):
        raise MaskRefused("there is no room to draw in; add pixels on at least one side")
    height, width = picture.shape[:2]
    right = room.right + -(width + room.left + room.right) % multiple
    bottom = room.bottom + -(height + room.top + room.bottom) % multiple
    wide = cv2.copyMakeBorder(picture, room.top, bottom, room.left, right, cv2.BORDER_REPLICATE)
    grain = np.random.default_rng(seed).normal(0, _NOISE, wide.shape)
    filled = np.clip(cv2.GaussianBlur(wide, (0, 0), 12) + grain, 0, 255).astype(np.uint8)
    kept = slice(room.top, room.top + height), slice(room.left, room.left + width)
    filled[kept] = picture
    mask = np.full(wide.shape[:2], 255, np.uint8)
    inner = (
        slice(room.top + overlap * bool(room.top), room.top + height - overlap * bool(bottom)),
        slice(room.left + overlap * bool(room.left), room.left + width - overlap * bool(right)),
    )
    mask[inner] = 0
    return Canvas(filled, mask, kept)


def cleared(picture: Pixels, thing: Alpha) -> Pixels:
    """The picture without what the mask covers: what lies around it goes on there, as smoothly as it can.

    For grounds, which are plain. The harmonic continuation is solved small and blended in beyond the thing's edge.
    """
    height, width = thing.shape
    rim = max(2, round(_RIM * min(height, width)))
    points = cv2.findNonZero((thing >= _FAINT).astype(np.uint8))
    if points is None:
        return picture
    whole = cv2.fillConvexPoly(np.zeros_like(thing), cv2.convexHull(points), 255)
    hole = grown(np.asarray(whole, np.uint8), rim)
    scale = min(1.0, _SOLVED_SIDE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    outside = (cv2.resize(hole, size, interpolation=cv2.INTER_AREA) == 0)[..., None]
    if not outside.any():
        return picture
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    plane = np.where(outside, small, small[outside[..., 0]].mean(axis=0))
    for _ in range(_ROUNDS):
        around = np.pad(plane, ((1, 1), (1, 1), (0, 0)), mode="edge")
        mean = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
        plane = np.where(outside, small, mean)
    smooth = cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC)
    share = np.maximum(cv2.GaussianBlur(hole, (0, 0), rim / 2), whole)[..., None] / np.float32(255)
    return np.asarray(np.clip(np.rint(picture + share * (smooth - picture)), 0, 255), np.uint8)


def put_back(drawn: Pixels, source: Pixels, mask: Alpha, feather: int = 0) -> Pixels:
    """What was drawn where the mask is 255, the source's exact pixels where it is 0 (and beyond the feather)."""
    if drawn.shape != source.shape or mask.shape != source.shape[:2]:
        raise MaskRefused(f"picture {source.shape}, drawn {drawn.shape} and mask {mask.shape} differ in size")
    soft = feathered(mask, feather)
    share = (soft.astype(np.float32) / np.float32(255))[..., None]
    mixed = np.rint(source + share * (drawn.astype(np.float32) - source)).astype(np.uint8)
    kept = np.where((soft == 0)[..., None], source, mixed)
    return np.where((soft == 255)[..., None], drawn, kept)
