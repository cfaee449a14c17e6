"""Evaluation of a model on fresh prompts: two independent scorers of what the pictures show, and a sheet for a person.

The first scorer compares each picture with drawn templates and asks which value of an attribute fits best, all others
being as asked. The second (gradients.py) never sees a template of that scene.
"""

from __future__ import annotations

import random
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.train.captions import plain_caption, varied_caption
from models.train.goods import BACKGROUNDS, BY_NAME, GOODS
from models.train.scenes import PIXELS, SIZES, Scene, draw_scene, picture
from models.train.sprites import Sprites

_LABEL = 34  # pixels below a pair of the sheet
Paint = Callable[[Scene, Sprites], np.ndarray]


@dataclass(slots=True)
class Tally:
    """Right and asked, by attribute and by value."""

    right: dict[str, dict[str, list[bool]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, attribute: str, value: str, right: bool) -> None:
        self.right[attribute][value].append(right)

    def share(self, attribute: str) -> float:
        answers = [answer for values in self.right[attribute].values() for answer in values]
        return sum(answers) / len(answers) if answers else float("nan")

    def worst(self, attribute: str) -> list[tuple[str, float, int]]:
        """(value, share, asked) of every value, worst first."""
        rows = [(value, sum(a) / len(a), len(a)) for value, a in self.right[attribute].items()]
        return sorted(rows, key=lambda row: (row[1], -row[2]))

    def to_json(self) -> dict[str, Any]:
        return {
            attribute: {
                "share": round(self.share(attribute), 4),
                "asked": sum(len(answers) for answers in values.values()),
                "by_value": {value: f"{sum(a)}/{len(a)}" for value, a in sorted(values.items())},
            }
            for attribute, values in self.right.items()
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A scene that was never trained on, and how it is asked for: plainly, or in other words with filler."""

    scene: Scene
    prompt: str
    wording: str  # plain | varied


def questions(count: int, seed: int, sprites: Sprites, trained: Iterable[Scene] = ()) -> list[Question]:
    """Every good about equally often; no scene that differs from a trained one in nothing that a caption says."""
    chance = random.Random(f"evaluation {seed}")
    known = {plain_caption(scene) for scene in trained}
    order = [name for _ in range(-(-count // len(GOODS))) for name in chance.sample(list(BY_NAME), len(GOODS))]
    asked = []
    for number, name in enumerate(order[:count]):
        scene = scene_of(name, chance, sprites)
        while plain_caption(scene) in known:
            scene = scene_of(name, chance, sprites)
        plain = number % 2 == 0
        prompt = plain_caption(scene) if plain else varied_caption(chance, scene)
        asked.append(Question(scene, prompt, "plain" if plain else "varied"))
    return asked


def scene_of(name: str, chance: random.Random, sprites: Sprites) -> Scene:
    good = BY_NAME[name]
    scene = draw_scene(chance, sprites)
    colours = sprites.colours(good)
    colour = chance.choice(colours[1:]) if len(colours) > 1 and chance.random() < 0.7 else None
    return replace(scene, good=name, colour=colour, view=chance.randrange(sprites.views(good)))


def judge_by_templates(asked: Sequence[Question], pictures: Sequence[np.ndarray], sprites: Sprites) -> Tally:
    """Which value fits best, one attribute at a time."""
    tally = Tally()
    for question, shown in zip(asked, pictures, strict=True):
        scene = question.scene
        far = distance(shown, sprites)
        good = BY_NAME[scene.good]
        right = nearest_good(scene, far, sprites) == scene.good
        tally.add("object", scene.good, right)
        tally.add("object by shelf", str(good.group), right)
        tally.add("object by wording", question.wording, right)
        if len(sprites.colours(good)) > 1:
            best = min(sprites.colours(good), key=lambda colour: far(replace(scene, colour=colour)))
            if scene.colour is not None:
                tally.add("object colour", f"{scene.good}, {scene.colour}", best == scene.colour)
        best_ground = min(BACKGROUNDS, key=lambda name: far(replace(scene, background=name)))
        tally.add("background colour", scene.background, best_ground == scene.background)
        tally.add("size", scene.size, min(SIZES, key=lambda size: far(_resized(scene, size))) == scene.size)
        flat = min(("render", "flat"), key=lambda style: far(replace(scene, style=style)))
        tally.add("style", scene.style, flat == scene.style)
    return tally


def nearest_good(scene: Scene, far: Callable[[Scene], float], sprites: Sprites) -> str:
    """The good whose template is nearest, all else being as asked."""
    goods = {good.name: _as(scene, good.name, sprites) for good in GOODS}
    return min(goods, key=lambda name: far(goods[name]))


def _as(scene: Scene, name: str, sprites: Sprites) -> Scene:
    """The same scene with another good, in the same colour where it can have it."""
    colours = sprites.colours(BY_NAME[name])
    return replace(scene, good=name, colour=scene.colour if scene.colour in colours else None)


def _resized(scene: Scene, size: str) -> Scene:
    return replace(scene, size=size)


def distance(shown: np.ndarray, sprites: Sprites, paint: Paint = picture) -> Callable[[Scene], float]:
    """Mean squared difference to the nearest view of a scene, painted in one style or another."""
    seen = shown.astype(np.float32)

    def far(scene: Scene) -> float:
        views = range(sprites.views(BY_NAME[scene.good]))
        return min(
            float(((paint(replace(scene, view=view), sprites).astype(np.float32) - seen) ** 2).mean()) for view in views
        )

    return far


def draw(
    pipeline: Any, prompts: Sequence[str], *, steps: int, guidance: float, rescale: float, seed: int
) -> Iterator[np.ndarray]:
    """The model's pictures, uint8 RGB, eight at a time."""
    import torch  # noqa: PLC0415

    for begin in range(0, len(prompts), 8):
        part = list(prompts[begin : begin + 8])
        noise = [torch.Generator().manual_seed(seed * 100_000 + begin + n) for n in range(len(part))]
        drawn = pipeline(
            part, num_inference_steps=steps, guidance_scale=guidance,
            guidance_rescale=rescale, height=PIXELS, width=PIXELS, generator=noise,
        )  # fmt: skip
        yield from (np.asarray(image.convert("RGB")) for image in drawn.images)


def sheet(
    asked: Sequence[Question],
    pictures: Sequence[np.ndarray],
    sprites: Sprites,
    path: Path,
    *,
    columns: int = 6,
    paint: Paint = picture,
) -> None:
    """Pairs for a person to judge: what was meant on the left, what was drawn on the right, the prompt below."""
    wide, high = 2 * PIXELS + 12, PIXELS + _LABEL
    rows = -(-len(asked) // columns)
    canvas = Image.new("RGB", (columns * wide, rows * high), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for n, (question, shown) in enumerate(zip(asked, pictures, strict=True)):
        left, top = n % columns * wide, n // columns * high
        canvas.paste(Image.fromarray(paint(question.scene, sprites)), (left, top))
        canvas.paste(Image.fromarray(shown), (left + PIXELS + 2, top))
        lines = textwrap.wrap(question.prompt, 46, max_lines=2, placeholder=" ...")
        pen.multiline_text((left + 2, top + PIXELS + 3), "\n".join(lines), (40, 40, 44), font=font, spacing=1)
    canvas.save(path, optimize=True)
