"""Photos of the demo's goods: eight forms in five colours, drawn with light and shade, the ground left transparent.

Nobody owns them and nothing is downloaded: the same feed gives the same bytes. The exact shape of a product is known,
as it is to a shop whose studio cuts its photos out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent
SIDE = 256  # pixels of a photo
_FINER = 4  # drawn so many times as large, for smooth edges
_COLOURS = {
    "red": (196, 48, 43),
    "blue": (45, 92, 170),
    "green": (58, 132, 78),
    "yellow": (224, 178, 52),
    "black": (52, 52, 58),
}
_Pen = ImageDraw.ImageDraw
_Box = tuple[float, float, float, float]


def write_goods(folder: Path) -> Path:
    """The demo catalogue in a folder of its own: catalogue.yaml, goods.csv, photos/. The file is answered."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    for name in ("catalogue.yaml", "goods.csv"):
        (folder / name).write_bytes((FOLDER / name).read_bytes())
    with (FOLDER / "goods.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            photo(row["form"], row["colour"]).save(folder / row["photo"])
    return folder / "catalogue.yaml"


def photo(form: str, colour: str) -> Image.Image:
    """RGBA of one product. Raises KeyError for a form or a colour that is none of ours."""
    shape = Image.new("L", (SIDE * _FINER, SIDE * _FINER))
    _FORMS[form](ImageDraw.Draw(shape))
    alpha = np.asarray(shape.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    lit = _light(SIDE)[..., None] * np.array(_COLOURS[colour], np.float32)
    return Image.fromarray(np.dstack([np.clip(lit, 0, 255).astype(np.uint8), alpha]))


def _light(side: int) -> np.ndarray:
    """Light from the upper left, float32 [side, side]: a soft highlight, darker towards the lower right."""
    down, right = np.mgrid[0:side, 0:side].astype(np.float32) / side
    highlight = np.exp(-(((right - 0.4) / 0.09) ** 2) - ((down - 0.45) / 0.3) ** 2)
    return np.asarray(1.12 - 0.35 * right - 0.2 * down + 0.5 * highlight, np.float32)


def _at(left: float, top: float, right: float, bottom: float) -> _Box:
    """A box in percent of the picture."""
    size = SIDE * _FINER / 100
    return left * size, top * size, right * size, bottom * size


def _mug(pen: _Pen) -> None:
    pen.ellipse(_at(58, 38, 82, 68), fill=255)
    pen.ellipse(_at(63, 44, 76, 62), fill=0)
    pen.rounded_rectangle(_at(26, 28, 66, 78), radius=40, fill=255)


def _bottle(pen: _Pen) -> None:
    pen.rounded_rectangle(_at(36, 40, 64, 88), radius=60, fill=255)
    pen.ellipse(_at(36, 30, 64, 56), fill=255)
    pen.rectangle(_at(44, 12, 56, 40), fill=255)


def _box(pen: _Pen) -> None:
    pen.rounded_rectangle(_at(22, 34, 78, 80), radius=24, fill=255)
    pen.rounded_rectangle(_at(18, 26, 82, 42), radius=16, fill=255)


def _ball(pen: _Pen) -> None:
    pen.ellipse(_at(22, 22, 78, 78), fill=255)


def _vase(pen: _Pen) -> None:
    pen.ellipse(_at(28, 40, 72, 86), fill=255)
    pen.rectangle(_at(42, 20, 58, 50), fill=255)
    pen.ellipse(_at(36, 14, 64, 26), fill=255)


def _lamp(pen: _Pen) -> None:
    pen.polygon([_at(38, 16, 0, 0)[:2], _at(62, 16, 0, 0)[:2], _at(78, 52, 0, 0)[:2], _at(22, 52, 0, 0)[:2]], fill=255)
    pen.rectangle(_at(46, 50, 54, 80), fill=255)
    pen.rounded_rectangle(_at(32, 78, 68, 86), radius=20, fill=255)


def _book(pen: _Pen) -> None:
    pen.rounded_rectangle(_at(28, 16, 72, 84), radius=14, fill=255)


def _plate(pen: _Pen) -> None:
    pen.ellipse(_at(12, 34, 88, 74), fill=255)


_FORMS: dict[str, Callable[[_Pen], None]] = {
    "mug": _mug,
    "bottle": _bottle,
    "box": _box,
    "ball": _ball,
    "vase": _vase,
    "lamp": _lamp,
    "book": _book,
    "plate": _plate,
}
