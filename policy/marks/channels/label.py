"""Visible label: says in words and with a sign that a picture was made or changed by a model. Our own drawing.

A dark plate with a light rim, a sign of four points, and the words beside it. The plate is opaque, so that the words
have the same contrast on any picture. It is drawn after screening, so that the verdict is about the picture alone, and
before watermark and signature, so that both cover it.

Source of size and contrast: the EU's Code of Practice on marking and labelling asks for labels that are legible at
first sight; 4 % of the short side and a contrast of 4.5 (WCAG 2.2, 1.4.3) are our reading of it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from policy.errors import MarkError
from policy.marks.channels.channel import MIN_CONTRAST, MIN_LABEL_SIZE, LabelStyle, label_texts
from policy.marks.watermark import Image

_PLATE, _INK, _RIM = (17, 17, 20), (255, 255, 255), (235, 235, 235)
_LEAST_PIXELS = 16  # of the plate's height: below it no letter can be read
_FINE = 4  # the plate is drawn this much larger, for smooth edges
_MARGIN = 0.4  # of its height, from the picture's edge
_WIDEST = 0.9  # of the picture's width


@dataclass(frozen=True, slots=True)
class DrawnLabel:
    """What was drawn, for manifest and ledger. `size` is the plate's height as a share of the short side."""

    text: str
    language: str
    position: str
    size: float
    contrast: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def draw_label(image: Image, style: LabelStyle, declaration: str, language: str = "") -> tuple[Image, DrawnLabel]:
    """A copy of an RGB picture with its label. Raises MarkError where the label cannot be legible."""
    chosen = language if language in label_texts() else style.language
    text = label_texts()[chosen][declaration]
    height, width = image.shape[:2]
    short = min(height, width)
    plate = _plate(text, max(_LEAST_PIXELS, math.ceil(max(style.size, MIN_LABEL_SIZE) * short)))
    if plate.shape[1] > _WIDEST * width:  # long words on a narrow picture: as high as they fit
        plate = _plate(text, int(plate.shape[0] * _WIDEST * width / plate.shape[1]))
    share = plate.shape[0] / short
    contrast = contrast_of(_INK, _PLATE)
    if share < MIN_LABEL_SIZE or plate.shape[0] < _LEAST_PIXELS or contrast < MIN_CONTRAST:
        raise MarkError(f"the label {text!r} is not legible on a picture of {width} x {height} pixels")
    gap = round(_MARGIN * plate.shape[0])
    x = width - plate.shape[1] - gap if style.position.endswith("right") else gap
    y = height - plate.shape[0] - gap if style.position.startswith("bottom") else gap
    labelled = image.copy()
    below = labelled[y : y + plate.shape[0], x : x + plate.shape[1]]
    alpha = plate[:, :, 3:].astype(np.uint16)
    below[:] = ((plate[:, :, :3] * alpha + below * (255 - alpha) + 127) // 255).astype(np.uint8)
    return labelled, DrawnLabel(text, chosen, style.position, round(share, 4), round(contrast, 2))


def contrast_of(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """The contrast ratio of two colours (WCAG 2.2), 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[int, int, int]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cache
def _plate(text: str, height: int) -> Image:
    """The plate with sign and words, RGBA."""
    tall = height * _FINE
    font = ImageFont.load_default(tall * 0.52)
    sign, pad = tall * 0.5, tall * 0.3
    wide = int(pad + sign + pad * 0.6 + font.getlength(text) + pad)
    drawn = Pillow.new("RGBA", (wide, tall), (*_PLATE, 0))
    draw = ImageDraw.Draw(drawn)
    draw.rounded_rectangle((0, 0, wide - 1, tall - 1), tall * 0.24, (*_PLATE, 255), (*_RIM, 255), max(1, _FINE))
    _sign(draw, pad + sign / 2, tall / 2, sign / 2)
    draw.text((pad + sign + pad * 0.6, tall / 2), text, (*_INK, 255), font=font, anchor="lm")
    return np.asarray(drawn.resize((max(1, wide // _FINE), height), Pillow.Resampling.LANCZOS), np.uint8)


def _sign(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    """A star of four points with a small one beside it."""
    for dx, dy, r in ((-0.15, 0.12, 0.88), (0.72, -0.66, 0.36)):
        cx, cy, outer, inner = x + dx * radius, y + dy * radius, r * radius, r * radius * 0.3
        turns = [(np.pi / 4 * n - np.pi / 2, outer if n % 2 == 0 else inner) for n in range(8)]
        draw.polygon([(cx + d * float(np.cos(a)), cy + d * float(np.sin(a))) for a, d in turns], fill=(*_INK, 255))
