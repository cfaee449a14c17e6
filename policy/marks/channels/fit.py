"""Fit: a picture in the size of a channel, with its product inside. Deterministic; pixels in, pixels out.

The product is found as what differs from the ground around the edge, which is what catalogue pictures show. Where
nothing stands out, the middle counts.
"""

from __future__ import annotations

import cv2
import numpy as np

from policy.marks.channels.channel import Channel
from policy.marks.watermark import Image

_STANDS_OUT = 24  # levels of the strongest channel from the ground's colour
_LEAST_SHARE = 0.002  # of the pixels; less is noise
_ROOM = 1.06  # of a part, over the product that has to stay whole in it
_SOFT = 12.0  # pixels: sigma of the blur of what goes on beyond the edge
_AT_MOST = 256  # pixels of the long side on which the product is looked for
_MIDDLES = {"center": (0.5, 0.5), "top": (0.5, 0.0), "bottom": (0.5, 1.0), "left": (0.0, 0.5), "right": (1.0, 0.5)}


def fit(image: Image, channel: Channel) -> Image:
    """The picture for this channel, RGB uint8.

    cover fills the size and cuts what is too much, but no product; contain lies within it and has no ground; pad is
    contain on the channel's ground, exactly of that size.
    """
    if channel.fit == "cover":
        return _resized(_cut(image, channel), channel.width, channel.height)
    height, width = image.shape[:2]
    factor = min(channel.width / width, channel.height / height)
    inside = _resized(image, max(1, round(width * factor)), max(1, round(height * factor)))
    return inside if channel.fit == "contain" else _padded(inside, channel)


def product_box(image: Image) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what stands out from the ground, as shares of the sides; all of it if nothing."""
    factor = min(1.0, _AT_MOST / max(image.shape[:2]))
    small = image if factor == 1 else cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    edge = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ground = np.median(edge, axis=0)
    differs = (np.abs(small.astype(np.int16) - ground.astype(np.int16)).max(axis=2) > _STANDS_OUT).astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if differs.mean() < _LEAST_SHARE or not rows.size:
        return 0.0, 0.0, 1.0, 1.0
    height, width = differs.shape
    return (
        float(columns[0]) / width,
        float(rows[0]) / height,
        float(columns[-1] + 1) / width,
        float(rows[-1] + 1) / height,
    )


def _cut(image: Image, channel: Channel) -> Image:
    """The largest part of the channel's shape, as near to the gravity as the picture allows.

    A product that such a part would cut stays whole: the part grows beyond the picture, and its edge goes on there.
    """
    height, width = image.shape[:2]
    shape = channel.width / channel.height
    cut_width, cut_height = (width, round(width / shape)) if width / height < shape else (round(height * shape), height)
    middle = _MIDDLES.get(channel.gravity, (0.5, 0.5))
    if channel.gravity == "product":
        left, top, right, bottom = product_box(image)
        middle = (left + right) / 2, (top + bottom) / 2
        if (right - left) * (bottom - top) < 1:
            grown = max(1.0, _ROOM * (right - left) * width / cut_width, _ROOM * (bottom - top) * height / cut_height)
            cut_width, cut_height = round(cut_width * grown), round(cut_height * grown)
    cut_width, cut_height = max(1, cut_width), max(1, cut_height)
    x = _offset(middle[0] * width, cut_width, width)
    y = _offset(middle[1] * height, cut_height, height)
    beyond = (max(0, -y), max(0, y + cut_height - height), max(0, -x), max(0, x + cut_width - width))
    inside = image[max(0, y) : y + cut_height, max(0, x) : x + cut_width]
    if not any(beyond):
        return inside
    grown = cv2.copyMakeBorder(np.ascontiguousarray(inside), *beyond, cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(grown, (0, 0), _SOFT)  # without it, every speck at the edge becomes a line
    above, below, before, behind = beyond
    kept = slice(above, grown.shape[0] - below), slice(before, grown.shape[1] - behind)
    soft[kept] = grown[kept]
    return np.asarray(soft, np.uint8)


def _offset(middle: float, length: int, whole: int) -> int:
    """Where a part begins: around the middle and inside the whole, or around the whole where it is longer."""
    if length > whole:
        return -((length - whole) // 2)
    return int(min(max(round(middle - length / 2), 0), whole - length))


def _padded(inside: Image, channel: Channel) -> Image:
    ground = np.empty((channel.height, channel.width, 3), np.uint8)
    ground[:] = channel.background
    height, width = inside.shape[:2]
    y, x = (channel.height - height) // 2, (channel.width - width) // 2
    ground[y : y + height, x : x + width] = inside
    return ground


def _resized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    smaller = width * height < image.shape[0] * image.shape[1]
    kind = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=kind), np.uint8)
