"""Brand style for the LoRA: a print in two inks on cream paper, with a dark outline and no shadow.

How light the object is decides its ink: navy, coral, then paper. Ground and colours of a caption are the style's own
business, so they do not show; the object, its size and its place are as asked.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from models.train.scenes import PIXELS, SIZES, Scene, corner
from models.train.sprites import Look, Sprites

INK, CORAL, GLOW, PAPER = (24, 36, 92), (240, 92, 70), (255, 206, 170), (250, 240, 222)
_STOPS = np.array([0.0, 0.5, 0.85, 1.0], np.float32)  # of lightness, one for each of these four
_INKS = np.array([INK, CORAL, GLOW, PAPER], np.float32)
_OUTLINE = 3  # pixels


def brand_picture(scene: Scene, sprites: Sprites) -> np.ndarray:
    """uint8 RGB [128, 128, 3]: the scene as this brand prints it."""
    pixels = SIZES[scene.size]
    left, top = corner(scene, pixels)
    canvas = np.broadcast_to(np.array(PAPER, np.float32), (PIXELS, PIXELS, 3)).copy()
    colours, alpha, outline = _printed(sprites, scene.good, Look(scene.style, scene.colour, scene.view), pixels)
    margin = _OUTLINE + 1
    around = np.zeros((PIXELS + 2 * margin, PIXELS + 2 * margin), np.float32)
    around[top : top + pixels + 2 * margin, left : left + pixels + 2 * margin] = outline
    rim = around[margin:-margin, margin:-margin, None]
    canvas = canvas * (1 - rim) + np.array(INK, np.float32) * rim
    part = canvas[top : top + pixels, left : left + pixels]
    part[:] = part * (1 - alpha) + colours * alpha
    return canvas.clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=300)
def _printed(sprites: Sprites, good: str, look: Look, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours [P, P, 3], alpha [P, P, 1], and the outline's alpha with a margin around it."""
    sprite = sprites.sprite(good, look, pixels)
    alpha = np.asarray(sprite.getchannel("A"), np.float32)[..., None] / 255
    light = np.asarray(sprite.convert("RGB"), np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)
    seen = light[alpha[..., 0] > 0.5]
    dark, bright = np.percentile(seen, (3, 97)) if len(seen) else (0.0, 255.0)
    level = ((light - dark) / max(bright - dark, 30.0)).clip(0, 1)
    colours = np.stack([np.interp(level, _STOPS, _INKS[:, band]) for band in range(3)], -1).astype(np.float32)
    margin = _OUTLINE + 1
    wide = Image.new("L", (pixels + 2 * margin, pixels + 2 * margin))
    wide.paste(sprite.getchannel("A").point(lambda value: 255 * (value > 60)), (margin, margin))
    grown = wide.filter(ImageFilter.MaxFilter(2 * _OUTLINE + 1)).filter(ImageFilter.GaussianBlur(0.6))
    return colours, alpha, np.asarray(grown, np.float32) / 255


def share_of_inks(shown: np.ndarray) -> float:
    """Of all pixels, those near a colour that these inks can make; and nothing where the ground is no paper."""
    edge = np.concatenate([shown[:4].reshape(-1, 3), shown[-4:].reshape(-1, 3)])
    if np.abs(np.median(edge, axis=0) - np.array(PAPER)).max() > 18:
        return 0.0
    line = np.stack([np.interp(np.linspace(0, 1, 60), _STOPS, _INKS[:, band]) for band in range(3)], -1)
    mixed = np.linspace(0, 1, 12)[:, None] * (np.array(PAPER) - np.array(INK)) + np.array(INK)  # the outline's edge
    palette = np.concatenate([line, mixed])
    away = np.abs(shown.reshape(-1, 1, 3).astype(np.float32) - palette[None]).max(2).min(1)
    return float((away < 36).mean())
