"""Fit: a picture in the size of a channel, with its product inside. Deterministic; pixels in, pixels out.

The product is found as what differs from the ground around the edge, which is what catalogue pictures show. Where
nothing stands out, the middle counts.
"""

from __future__ import annotations

import cv2
import numpy as np

from policy.levels import highest
from policy.marks.channels.channel import Channel
from policy.marks.channels.frame import ChannelFrame
from policy.marks.watermark import Image

_STANDS_OUT = 24  # levels of the strongest channel from the ground's colour
_LEAST_SHARE = 0.002  # of the pixels; less is noise
_ROOM = 1.06  # of a part, over the product that has to stay whole in it
_AT_MOST = 256  # pixels of the long side on which the product is looked for
_MIDDLES = {"center": (0.5, 0.5), "top": (0.5, 0.0), "bottom": (0.5, 1.0), "left": (0.0, 0.5), "right": (1.0, 0.5)}


def fit(image: Image, channel: Channel) -> Image:
    """The picture for this channel, RGB uint8."""
    return frame_of(image, channel).apply(image, channel.background)


def frame_of(image: Image, channel: Channel) -> ChannelFrame:
    """What the channel shows of this picture.

    cover fills the size and cuts what is too much, but no product; contain lies within it and has no ground; pad is
    contain on the channel's ground, exactly of that size.
    """
    size = (channel.width, channel.height)
    if channel.fit == "cover":
        corner, part = _cut(image, channel)
        return ChannelFrame(corner, part, size, (0, 0), size)
    height, width = image.shape[:2]
    factor = min(channel.width / width, channel.height / height)
    inner = max(1, round(width * factor)), max(1, round(height * factor))
    if channel.fit == "contain":
        return ChannelFrame((0, 0), (width, height), inner, (0, 0), inner)
    at = (channel.width - inner[0]) // 2, (channel.height - inner[1]) // 2
    return ChannelFrame((0, 0), (width, height), inner, at, size)


def product_box(image: Image) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what stands out from the ground, as shares of the sides; all of it if nothing."""
    factor = min(1.0, _AT_MOST / max(image.shape[:2]))
    small = image if factor == 1 else cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    edge = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ground = np.median(edge, axis=0)
    differs = (highest(np.abs(small.astype(np.int16) - ground.astype(np.int16))) > _STANDS_OUT).astype(np.uint8)
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


def _cut(image: Image, channel: Channel) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corner and size of the largest part of the channel's shape, as near to the gravity as the picture allows.

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
    return (x, y), (cut_width, cut_height)


def _offset(middle: float, length: int, whole: int) -> int:
    """Where a part begins: around the middle and inside the whole, or around the whole where it is longer."""
    if length > whole:
        return -((length - whole) // 2)
    return int(min(max(round(middle - length / 2), 0), whole - length))
