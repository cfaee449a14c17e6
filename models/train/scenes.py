"""Scene: a good with its colour, size, place and style on a background, as a caption can say it; and its picture."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from models.train.goods import BACKGROUNDS, GOODS
from models.train.sprites import Look, Sprites

PIXELS = 128
SIZES = {"small": 56, "medium": 80, "large": 112}  # sides of the object in pixels
PLACES = ("center", "left", "right", "top", "bottom")
STAGES = ("plain", "gradient", "spotlight", "studio")
_STEP = 8  # an object is moved by whole latent cells: what is learned in one place holds in the others
_Y, _X = np.mgrid[0:PIXELS, 0:PIXELS].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything there is to see."""

    good: str
    colour: str | None
    style: str
    view: int
    size: str
    place: str
    background: str
    stage: str


def draw_scene(chance: random.Random, sprites: Sprites) -> Scene:
    """A scene by chance; half of what can be recoloured is."""
    good = chance.choice(GOODS)
    colours = sprites.colours(good)
    colour = chance.choice(colours[1:]) if len(colours) > 1 and chance.random() < 0.6 else None
    size = chance.choices(tuple(SIZES), (0.2, 0.5, 0.3))[0]
    moved = size != "large" and chance.random() < 0.2
    return Scene(
        good=good.name,
        colour=colour,
        style="flat" if chance.random() < 0.28 else "render",
        view=chance.randrange(sprites.views(good)),
        size=size,
        place=chance.choice(PLACES[1:]) if moved else "center",
        background=chance.choice(tuple(BACKGROUNDS)),
        stage=chance.choices(STAGES, (0.61, 0.13, 0.13, 0.13))[0],
    )


def picture(scene: Scene, sprites: Sprites) -> np.ndarray:
    """uint8 RGB [128, 128, 3]."""
    pixels = SIZES[scene.size]
    left, top = corner(scene, pixels)
    canvas = _stage(BACKGROUNDS[scene.background], scene.stage)
    if scene.style == "render":
        canvas *= 1 - _shadow(left, top, pixels)
    look = Look(scene.style, scene.colour, scene.view)
    sprite = np.asarray(sprites.sprite(scene.good, look, pixels), np.float32)
    alpha = sprite[..., 3:] / 255
    part = canvas[top : top + pixels, left : left + pixels]
    part[:] = part * (1 - alpha) + sprite[..., :3] * alpha
    return canvas.clip(0, 255).astype(np.uint8)


def foreground(scene: Scene, sprites: Sprites) -> np.ndarray:
    """bool [128, 128]: where the object is."""
    pixels = SIZES[scene.size]
    left, top = corner(scene, pixels)
    look = Look(scene.style, scene.colour, scene.view)
    mask = np.zeros((PIXELS, PIXELS), bool)
    mask[top : top + pixels, left : left + pixels] = (
        np.asarray(sprites.sprite(scene.good, look, pixels).getchannel("A")) > 12
    )
    return mask


def corner(scene: Scene, pixels: int) -> tuple[int, int]:
    """Left and top of the object."""
    margin = (PIXELS - pixels) // 2
    shift = margin // _STEP * _STEP
    across = {"left": -shift, "right": shift}.get(scene.place, 0)
    down = {"top": -shift, "bottom": shift}.get(scene.place, 0)
    return margin + across, margin + down


def _stage(rgb: tuple[int, int, int], stage: str) -> np.ndarray:
    """float32 RGB [128, 128, 3]: the ground and its light."""
    colour = np.array(rgb, np.float32)
    light, dark = colour + (255 - colour) * 0.45, colour * 0.62
    match stage:
        case "gradient":
            t = (_Y / (PIXELS - 1))[..., None]
            return light * (1 - t) + (colour + dark) * t * 0.5
        case "spotlight":
            t = np.clip(np.hypot(_X - 64, _Y - 60) / 92, 0, 1)[..., None]
            return light * (1 - t) + dark * t
        case "studio":
            t = np.clip((_Y - 92) / 5, 0, 1)[..., None]
            return colour * (1 - t) + colour * 0.8 * t
        case _:
            return np.broadcast_to(colour, (PIXELS, PIXELS, 3)).copy()


def _shadow(left: int, top: int, pixels: int) -> np.ndarray:
    """How much light the object takes from the ground below it, [128, 128, 1]."""
    across, down = (_X - left - pixels / 2) / (pixels * 0.40), (_Y - top - pixels * 0.95) / (pixels * 0.075)
    return np.asarray((0.38 * np.exp(-(across**2 + down**2) * 1.1))[..., None], np.float32)
