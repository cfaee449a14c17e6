"""Cut-outs of the goods on transparent ground: every style, colour and view, cropped to a square.

Two sets by the same hand: soft 3D renders (WebP) and flat drawings (SVG), both of Microsoft's Fluent Emoji under
MIT, from npm packages. A hue is turned only where the object's own main hue is, so that laces, wheels and screens
keep theirs.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from models.train.goods import BY_NAME, COLOURS, GOODS, Good

SIDE = 256  # pixels of a stored cut-out
TILT_DEGREES = 14
STYLES = ("render", "flat")
_HUE_WIDTH = 50  # degrees around the main hue that are turned with it
_CRIMSON_FROM = 338  # degrees; from there on people say red
_FLAT_VIEWBOX = 32


@dataclass(frozen=True, slots=True)
class Look:
    """One way a good may look. `colour` None is its own; `view` counts mirrored and leaning ones."""

    style: str
    colour: str | None
    view: int


class Sprites:
    """Cut-outs below a folder of unpacked packages; made on first use and kept in memory."""

    def __init__(self, sources: Path) -> None:
        self._sources = sources

    def views(self, good: Good) -> int:
        """How many ways round a good is shown: as drawn, mirrored, and both leaning where it leans."""
        return 4 if good.tilts else 2

    def looks(self, good: Good) -> Iterator[Look]:
        """Every look of a good."""
        for style in STYLES:
            for colour in self.colours(good):
                for view in range(self.views(good)):
                    yield Look(style, colour, view)

    @lru_cache(maxsize=1_000)  # noqa: B019 - one object a process
    def colours(self, good: Good) -> tuple[str | None, ...]:
        """None for its own colour, then those it can be given, less the one it has."""
        if not good.recolour:
            return (None,)
        return (None, *(name for name in COLOURS if name != self.own_colour(good)))

    @lru_cache(maxsize=1_000)  # noqa: B019 - one object a process
    def own_colour(self, good: Good) -> str | None:
        """The colour word for the good as it is drawn; None where no colour stands out."""
        hue, share = _main_hue(self._drawn(good.name, "render"))
        if share < 0.42:
            return None
        if hue >= _CRIMSON_FROM:
            return "red"
        return min(COLOURS, key=lambda name: abs((COLOURS[name] - hue + 180) % 360 - 180))

    @lru_cache(maxsize=20_000)  # noqa: B019 - one object a process
    def sprite(self, name: str, look: Look, pixels: int) -> Image.Image:
        """RGBA, `pixels` square."""
        image = self._drawn(name, look.style)
        if look.colour is not None:
            image = _recoloured(image, COLOURS[look.colour])
        if look.view % 2:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if look.view >= 2:
            image = _squared(image.rotate(TILT_DEGREES, Image.Resampling.BICUBIC, expand=True))
        return image.resize((pixels, pixels), Image.Resampling.LANCZOS)

    @lru_cache(maxsize=1_000)  # noqa: B019 - one object a process
    def _drawn(self, name: str, style: str) -> Image.Image:
        good = BY_NAME[name]
        return _squared(self._render(good) if style == "render" else self._flat(good))

    def _render(self, good: Good) -> Image.Image:
        folder = self._sources / "fluent-emoji-3d" / "assets"
        named = (folder / f"{good.emoji}.webp", folder / f"{good.emoji}-fe0f.webp")
        path = next((path for path in named if path.exists()), named[0])
        return Image.open(path).convert("RGBA")

    def _flat(self, good: Good) -> Image.Image:
        import resvg_py  # noqa: PLC0415 - of the extra `train`

        body = self._icons[good.flat]["body"]
        box = f"0 0 {_FLAT_VIEWBOX} {_FLAT_VIEWBOX}"
        drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}" viewBox="{box}">{body}</svg>'
        return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=drawing)))).convert("RGBA")

    @cached_property
    def _icons(self) -> dict[str, dict[str, str]]:
        stored: dict[str, dict[str, dict[str, str]]] = json.loads(
            (self._sources / "fluent-emoji-flat" / "icons.json").read_text("utf-8")
        )
        return stored["icons"]


def missing(sprites: Sprites) -> list[str]:
    """Goods whose cut-outs are not there, or show nothing."""
    return [good.name for good in GOODS if not _has_both(sprites, good)]


def _has_both(sprites: Sprites, good: Good) -> bool:
    try:
        return all(sprites.sprite(good.name, Look(style, None, 0), 64).getbbox() for style in STYLES)
    except (OSError, KeyError):
        return False


def _squared(image: Image.Image) -> Image.Image:
    """Cropped to what is visible, centred in a square of SIDE pixels."""
    visible = image.getchannel("A").point(lambda value: 255 * (value > 8)).getbbox()
    image = image.crop(visible)
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _main_hue(image: Image.Image) -> tuple[float, float]:
    """The hue in degrees that most of the saturated pixels are near, and their share of all visible ones."""
    alpha = np.asarray(image.getchannel("A"), np.float32) / 255
    hue, saturation, value = (np.asarray(band, np.float32) for band in image.convert("RGB").convert("HSV").split())
    weight = alpha * (saturation / 255 > 0.35) * (value / 255 > 0.25)
    histogram, _ = np.histogram(hue * 360 / 255, 36, (0, 360), weights=weight)
    near = sum(np.roll(histogram, shift) for shift in range(-3, 4))
    best = int(np.argmax(near))
    return best * 10 + 5, float(near[best] / max(alpha.sum(), 1))


def _recoloured(image: Image.Image, target: float) -> Image.Image:
    """The main hue turned to `target` degrees; yellow and pink are made lighter, as those words mean light colours."""
    main, _ = _main_hue(image)
    hue, saturation, value = (np.asarray(band, np.float32) for band in image.convert("RGB").convert("HSV").split())
    degrees = hue * 360 / 255
    away = (degrees - main + 180) % 360 - 180
    inside = np.clip((_HUE_WIDTH - np.abs(away)) / 12, 0, 1)
    turned = np.where(inside > 0.5, (target + away * 0.45) % 360, degrees)
    light = target in (COLOURS["pink"], COLOURS["yellow"])
    saturation = saturation * (1 - inside) + inside * saturation * (0.72 if target == COLOURS["pink"] else 1.0)
    value = value * (1 - inside) + inside * np.clip(value * (1.15 if light else 1.0), 0, 255)
    bands = [
        Image.fromarray(np.clip(band, 0, 255).astype(np.uint8)) for band in (turned * 255 / 360, saturation, value)
    ]
    result = Image.merge("HSV", bands).convert("RGB")
    result.putalpha(image.getchannel("A"))
    return result
