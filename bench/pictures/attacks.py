"""Attack table of bench.identify: what happens to pictures on the way through the world.

Each attack is a function of a picture and a random generator; the same seed does the same harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from policy.fingerprints import Image

Attack = Callable[[Image, np.random.Generator], Image]


def _encoded(image: Image, suffix: str, option: int, quality: int) -> Image:
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [option, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _jpeg(quality: int) -> Attack:
    return lambda image, _: _encoded(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)


def _webp(quality: int) -> Attack:
    return lambda image, _: _encoded(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)


def _resize(scale: float) -> Attack:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return lambda image, _: np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=method), np.uint8)


def _crop(area: float) -> Attack:
    """Keeps this share of the area, anywhere in the picture."""

    def crop(image: Image, chance: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        rows, columns = round(height * area**0.5), round(width * area**0.5)
        top, left = int(chance.integers(height - rows + 1)), int(chance.integers(width - columns + 1))
        return np.ascontiguousarray(image[top : top + rows, left : left + columns])

    return crop


def _rotate(degrees: float) -> Attack:
    """Turned, and cut to the largest upright rectangle without corners of the ground."""

    def rotate(image: Image, _: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1)
        full = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        sine, cosine = abs(np.sin(np.radians(degrees))), abs(np.cos(np.radians(degrees)))
        share = 1 / (cosine + sine * max(width / height, height / width))
        rows, columns = int(height * share), int(width * share)
        top, left = (height - rows) // 2, (width - columns) // 2
        return np.ascontiguousarray(full[top : top + rows, left : left + columns])

    return rotate


def _tone(gain: float = 1, offset: float = 0, gamma: float = 1) -> Attack:
    levels = np.clip(((np.arange(256) / 255) ** gamma * 255 - 128) * gain + 128 + offset, 0, 255).astype(np.uint8)
    return lambda image, _: np.asarray(cv2.LUT(image, levels), np.uint8)


def _blur(sigma: float) -> Attack:
    """Sigma in pixels of a picture of 512."""
    return lambda image, _: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma * min(image.shape[:2]) / 512), np.uint8)


def _noise(sigma: float) -> Attack:
    return lambda image, chance: np.clip(image + chance.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def _border(share: float) -> Attack:
    def border(image: Image, chance: np.random.Generator) -> Image:
        wide = round(share * min(image.shape[:2]))
        colour = [int(each) for each in chance.choice([[255] * 3, [0] * 3, [40, 40, 60]])]
        return np.asarray(
            cv2.copyMakeBorder(image, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=colour), np.uint8
        )

    return border


def _text(image: Image, chance: np.random.Generator) -> Image:
    marked, width = image.copy(), image.shape[1]
    for line, word in enumerate(("WHEN YOU SEE IT", "@somebody.else")):
        at = (int(width * 0.05), int(image.shape[0] * (0.15 + 0.75 * line)))
        scale = width / 420 if line == 0 else width / 700
        cv2.putText(marked, word, at, cv2.FONT_HERSHEY_DUPLEX, scale, (0, 0, 0), max(2, width // 90), cv2.LINE_AA)
        cv2.putText(
            marked, word, at, cv2.FONT_HERSHEY_DUPLEX, scale, (255, 255, 255), max(1, width // 200), cv2.LINE_AA
        )
    return marked


def _screenshot(image: Image, chance: np.random.Generator) -> Image:
    """The picture in a page: bars, lines of text, other boxes; shown at 0.5 to 1.2 of its size, saved as JPEG 85."""
    height, width = image.shape[:2]
    scale = float(chance.uniform(0.5, 1.2)) * min(1.0, 700 / max(height, width))
    scale = max(scale, min(1.0, 200 / min(height, width)))
    shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    rows, columns = shown.shape[0] + int(chance.integers(160, 400)), shown.shape[1] + int(chance.integers(120, 500))
    dark = bool(chance.random() < 0.3)
    page = np.full((rows, columns, 3), 24 if dark else 250, np.uint8)
    ink = (220, 220, 220) if dark else (30, 30, 30)
    page[:48] = (60, 64, 72) if dark else (222, 225, 230)
    cv2.putText(page, "shop.example/new", (70, 32), cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 1, cv2.LINE_AA)
    top, left = int(chance.integers(60, rows - shown.shape[0] - 40)), int(chance.integers(10, columns - shown.shape[1]))
    for y in range(top + shown.shape[0] + 24, rows - 6, 22):
        cv2.putText(page, "Lorem ipsum dolor sit amet, consectetur", (left, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1)
    page[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return _encoded(page, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 85)


def _chain(*attacks: Attack) -> Attack:
    def chained(image: Image, chance: np.random.Generator) -> Image:
        for attack in attacks:
            image = attack(image, chance)
        return image

    return chained


def _grey(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


ATTACKS: Mapping[str, Attack] = {
    "none": lambda image, _: image,
    **{f"jpeg {quality}": _jpeg(quality) for quality in (95, 60, 30)},
    "webp 50": _webp(50),
    **{f"resize {scale:g}": _resize(scale) for scale in (0.25, 0.5, 2)},
    **{f"crop {area:.0%}": _crop(area) for area in (0.75, 0.5)},
    **{f"rotate {degrees:g}": _rotate(degrees) for degrees in (-2, 5)},
    "mirror": lambda image, _: np.ascontiguousarray(image[:, ::-1]),
    "quarter turn": lambda image, _: np.ascontiguousarray(np.rot90(image)),
    "brighter": _tone(offset=35),
    "darker": _tone(offset=-35),
    "contrast 1.3": _tone(gain=1.3),
    "contrast 0.7": _tone(gain=0.7),
    "gamma 0.7": _tone(gamma=0.7),
    "gamma 1.5": _tone(gamma=1.5),
    "blur 2": _blur(2),
    "noise 15": _noise(15),
    "border 10%": _border(0.1),
    "text": _text,
    "grey": _grey,
    "screenshot": _screenshot,
    "crop + resize + jpeg": _chain(_crop(0.7), _resize(0.7), _jpeg(75)),
    "rotate + jpeg": _chain(_rotate(2), _jpeg(80)),
    "mirror + crop + webp": _chain(lambda image, _: np.ascontiguousarray(image[:, ::-1]), _crop(0.8), _webp(75)),
    "text + border + jpeg": _chain(_text, _border(0.06), _jpeg(80)),
    "half + jpeg 50": _chain(_resize(0.5), _jpeg(50)),
    "screenshot + crop": _chain(_crop(0.8), _screenshot),
}
