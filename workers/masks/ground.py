"""Mask by the colour of a uniform ground: what differs from the colour around the picture's edge, and its shadow.

A shadow is the ground made darker, so it can be told from ground by its lightness and not by its colour. A grey product
on white cannot be told from a shadow that way. So two masks are made, one that takes shadows for product and one that
does not, and a product lies between them. They cost milliseconds, and see nothing where the ground has a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.masks.mask import Alpha, Mask, MaskSource, Pixels

Flags = NDArray[np.bool_]

_UNIFORM = 0.85  # of the border's pixels have to be near its colour
_NEAR = 14.0  # levels of the strongest channel
_DARKEST_SHADOW = 0.35  # of the ground's lightness
_CERTAIN, _MOST_CERTAIN = 3.0, 40.0  # times the ground's own spread, and levels, from which a pixel cannot be ground
_HUE_NEAR = 10.0  # levels that a shadow may be off the line from black to the ground's colour
_SMOOTH = 24.0  # levels from pixel to pixel, up to which a shade may be a shadow; edges of products have more
_LEAST_HOLE = 0.002  # of the picture
_METHOD = "ground"


@dataclass(frozen=True, slots=True, eq=False)
class KeyedGround:
    """The ground's colour, and what is not ground, with and without its shadow. `without` lies inside `shadowed`.

    `certain` differs from the ground by more than that varies around the edge: a painted or lit ground is never even.
    `enclosed` is what has the ground's colour and cannot be reached from the border: the hole of a handle, or white
    print on a product before white. Colour alone cannot tell which.
    """

    colour: tuple[int, int, int]
    shadowed: Flags
    without: Flags
    enclosed: Flags
    certain: Flags

    @property
    def method(self) -> str:
        """How the ledger names it: with the colour that was taken for ground."""
        return f"{_METHOD} #{bytes(self.colour).hex()}"


def keyed(picture: Pixels, colour: tuple[int, int, int] | None = None) -> KeyedGround | None:
    """What stands out from a ground of this colour, or of the one around the edge; None where that is not uniform."""
    ground = colour or _colour(picture)
    if ground is None:
        return None
    distance = np.abs(picture.astype(np.float32) - np.array(ground, np.float32)).max(axis=2)
    near = distance <= _NEAR
    plain = _from_border(near)
    shade = _from_border(plain | _shades(picture, ground, _HUE_NEAR))
    far = min(max(_NEAR, _CERTAIN * float(np.percentile(_edge(distance), 95))), _MOST_CERTAIN)
    unsure = _from_border((distance <= far) | _shades(picture, ground, _HUE_NEAR * far / _NEAR))
    return KeyedGround(ground, _whole(~plain), _whole(~shade), _large(near & ~plain), _whole(~unsure))


def mask_by_ground(found: KeyedGround) -> Mask | None:
    """The keyed ground as a mask, without shadows; None where nothing stands out, or all of it."""
    product = found.without
    if not product.any() or product.all():
        return None
    return Mask(product.astype(np.uint8) * np.uint8(255), MaskSource.GROUND, found.method)


def agreement(product: Flags, found: KeyedGround) -> float:
    """How far a mask lies between the two of a keyed ground: the lesser of what it keeps and what it does not add.

    What it encloses of the ground's colour counts as added, so a person looks at holes and at white on white.
    """
    least, most = found.certain & ~found.enclosed, found.shadowed & ~found.enclosed
    return min(_share(most, product), _share(product, least))


def _share(part: Flags, whole: Flags) -> float:
    return int(np.count_nonzero(part & whole)) / max(1, int(np.count_nonzero(whole)))


def _colour(picture: Pixels) -> tuple[int, int, int] | None:
    edge = _edge(picture.astype(np.float32))
    ground = np.median(edge, axis=0)
    near = (np.abs(edge - ground).max(axis=1) <= _NEAR).mean()
    red, green, blue = (round(float(channel)) for channel in ground)
    return (red, green, blue) if near >= _UNIFORM else None


def _edge(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Its outermost pixels, one after another."""
    return np.concatenate([picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]])


def _shades(picture: Pixels, ground: tuple[int, int, int], off_hue: float) -> Flags:
    """Pixels that may be the ground in a soft shadow: darker, of its colour, and without an edge."""
    colour = np.array(ground, np.float32)
    pixels = cv2.GaussianBlur(picture, (3, 3), 0).astype(np.float32)
    share = (pixels @ colour) / max(float(colour @ colour), 1.0)
    off = np.abs(pixels - share[..., None] * colour).max(axis=2)
    lightness = pixels.mean(axis=2)
    kernel = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(lightness, kernel) - cv2.erode(lightness, kernel)
    return np.asarray((share >= _DARKEST_SHADOW) & (share <= 1.05) & (off <= off_hue) & (steps <= _SMOOTH))


def _from_border(flags: Flags) -> Flags:
    """The part of it that can be reached from the picture's border."""
    framed = cv2.copyMakeBorder(flags.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    return np.asarray((labels == labels[0, 0])[1:-1, 1:-1])


def _large(flags: Flags) -> Flags:
    """Its parts that are large enough to be a hole."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(flags.astype(np.uint8), connectivity=4)
    large = found[:, cv2.CC_STAT_AREA] >= _LEAST_HOLE * flags.size
    large[0] = False
    return np.asarray(large[labels])


def _whole(product: Flags) -> Flags:
    """Without specks and thin lines."""
    opened: Alpha = cv2.morphologyEx(product.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return opened > 0
