"""Marks of a cut-out: the watermark sits in opaque pixels alone, so it reads whatever ground is put below.

Alpha is not touched. The watermark is read back over white, over black and over a picture; the first two have to read,
the third is recorded, because a small product is drowned by a busy ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from policy.errors import MarkError
from policy.marks import watermark
from policy.marks.cutouts.files import Alpha, over
from policy.marks.watermark import Floats, Image, Scheme, WatermarkReading

GROUNDS = ("white", "black", "picture")
_WHOLE = 0.97  # of a cell has to be opaque: a mixed one would read differently on each ground


@dataclass(frozen=True, slots=True)
class CutoutReading:
    """The watermark over white, and over which of GROUNDS the same one reads."""

    reading: WatermarkReading | None
    grounds: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """It reads over white and black."""
        return self.reading is not None and {"white", "black"} <= set(self.grounds)


UNREAD = CutoutReading(None, ())  # of a file that carries no watermark


def schemes(alpha: Alpha) -> tuple[Scheme, ...]:
    """The schemes of a cut-out of this size, best first."""
    picture = np.broadcast_to(alpha[..., None], (*alpha.shape, 3))
    return tuple(watermark.off_ground(scheme) for scheme in watermark.ladder(picture))


def embed_cutout(colours: Image, alpha: Alpha, watermark_id: int, scheme: Scheme) -> Image:
    """The colours with the watermark where alpha is 255 in whole cells; every other pixel stays bit for bit."""
    marked = watermark.embed(over(colours, alpha, 255), watermark_id, scheme, _where(alpha, scheme.grid))
    return np.where((alpha == 255)[..., None], marked, colours)


def read_cutout(colours: Image, alpha: Alpha) -> CutoutReading:
    """What reads from a cut-out over each of GROUNDS."""
    found = {name: watermark.read(over(colours, alpha, _ground(name, alpha.shape))) for name in GROUNDS}
    first = found["white"]
    same = (name for name, each in found.items() if each and first and each.watermark_id == first.watermark_id)
    return CutoutReading(first, tuple(same))


def check_cutout(colours: Image, alpha: Alpha) -> None:
    """Raises MarkError for alpha of another size, and for alpha that shows nothing or hides nothing."""
    if alpha.dtype != np.uint8 or alpha.shape != colours.shape[:2]:
        raise MarkError(f"alpha has to be uint8 of the picture's size, not {alpha.dtype} {list(alpha.shape)}")
    if not (alpha == 255).any() or (alpha == 255).all():
        raise MarkError("a cut-out has both opaque and transparent pixels")


def cutout_evidence(alpha: Alpha, read: CutoutReading) -> dict[str, Any]:
    """The ledger's record of the transparency of one file."""
    return {
        "transparency": {
            "opaque": round(float((alpha == 255).mean()), 4),
            "transparent": round(float((alpha == 0).mean()), 4),
            "read_over": list(read.grounds),
        }
    }


def _where(alpha: Alpha, grid: int) -> Floats:
    """1 in opaque pixels of cells that are opaque as a whole, else 0."""
    opaque = (alpha == 255).astype(np.float32)
    side = grid // 8
    share = cv2.resize(opaque, (side, side), interpolation=cv2.INTER_AREA)
    height, width = alpha.shape
    whole = cv2.resize((share >= _WHOLE).astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(opaque * whole, np.float32)


def _ground(name: str, size: tuple[int, ...]) -> Image | int:
    return _picture(size[0], size[1]) if name == "picture" else {"white": 255, "black": 0}[name]


@cache
def _scene() -> Image:
    """A busy picture, always the same: colour noise at several scales."""
    chance = np.random.default_rng(2026)
    total = np.zeros((256, 256, 3), np.float32)
    for octave in range(2, 8):
        coarse = chance.normal(0, 1, (2**octave, 2**octave, 3)).astype(np.float32)
        total += cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC) / octave
    return np.asarray(np.clip(total / total.std() * 45 + 128, 0, 255), np.uint8)


def _picture(height: int, width: int) -> Image:
    return np.asarray(cv2.resize(_scene(), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
