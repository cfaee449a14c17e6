"""Does the model draw what it was asked for? Two independent judges on fresh prompts, and a sheet for a person.

The first judge compares each picture with drawn templates and asks which value of an attribute fits best, all others
being as asked. The second never sees a template of that scene: gradients of the picture (HOG) against centroids learned
from other scenes for the object, the border's median for the ground, the object's main hue for its colour.
"""

from __future__ import annotations

import random
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.train.captions import plain_caption, varied_caption
from models.train.goods import BACKGROUNDS, BY_NAME, COLOURS, GOODS
from models.train.scenes import PIXELS, SIZES, Scene, draw_scene, picture
from models.train.sprites import Sprites

_HOG_PICTURES = 40  # scenes of each good that its centroids are learned from
_BORDER = 6  # pixels
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
        scene = _of(name, chance, sprites)
        while plain_caption(scene) in known:
            scene = _of(name, chance, sprites)
        plain = number % 2 == 0
        prompt = plain_caption(scene) if plain else varied_caption(chance, scene)
        asked.append(Question(scene, prompt, "plain" if plain else "varied"))
    return asked


def _of(name: str, chance: random.Random, sprites: Sprites) -> Scene:
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


class Independent:
    """Judges that know no template of the scene."""

    def __init__(self, sprites: Sprites, seed: int, paint: Paint = picture) -> None:
        chance = random.Random(f"independent {seed}")
        features, names = [], []
        for good in GOODS:
            for _ in range(_HOG_PICTURES):
                features.append(self._features(paint(_of(good.name, chance, sprites), sprites)))
                names.append(good.name)
        self._names = np.array(names)
        self._known = np.stack(features)

    def judge(self, asked: Sequence[Question], pictures: Sequence[np.ndarray]) -> Tally:
        tally = Tally()
        for scene, shown in zip((question.scene for question in asked), pictures, strict=True):
            tally.add("object", scene.good, self.good(shown) == scene.good)
            if scene.stage == "plain":
                tally.add("background colour", scene.background, _ground(shown) == scene.background)
            if scene.colour is not None:
                tally.add("object colour", f"{scene.good}, {scene.colour}", _hue(shown) == scene.colour)
        return tally

    def good(self, shown: np.ndarray) -> str:
        """The good of most of the five nearest known pictures."""
        near = np.argsort(((self._known - self._features(shown)) ** 2).sum(1))[:5]
        names, votes = np.unique(self._names[near], return_counts=True)
        return str(names[votes.argmax()])

    def _features(self, shown: np.ndarray) -> np.ndarray:
        """Gradients of the object alone, cropped and brought to one size."""
        left, top, right, bottom = _box(shown)
        part = cv2.resize(shown[top:bottom, left:right], (64, 64), interpolation=cv2.INTER_AREA)
        gradients = _gradients(part)
        tiny = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 255
        return np.concatenate([gradients, tiny * 0.35])


def _gradients(part: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients [8 * 8 * 9], each cell's block of four normalised (Dalal and Triggs, 2005)."""
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength, angle = cv2.cartToPolar(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    bins = (angle * 9 / np.pi).astype(np.int32) % 9
    cells = np.zeros((8, 8, 9), np.float32)
    for number in range(9):
        cells[..., number] = (strength * (bins == number)).reshape(8, 8, 8, 8).sum((1, 3))
    blocks = [np.roll(cells, shift, (0, 1)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))]
    return (cells / (np.sqrt(sum((block**2).sum(2, keepdims=True) for block in blocks)) + 1e-3)).ravel()


def _box(shown: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what stands out from the border's colour of its row."""
    edge = np.median(np.concatenate([shown[:, :3], shown[:, -3:]], 1), axis=1)
    away = np.abs(shown.astype(np.float32) - edge[:, None]).max(2) > 40
    rows, columns = np.flatnonzero(away.sum(1) > 1), np.flatnonzero(away.sum(0) > 1)
    if len(rows) < 8 or len(columns) < 8:
        return 0, 0, PIXELS, PIXELS
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _ground(shown: np.ndarray) -> str:
    frame = np.concatenate([shown[:_BORDER].reshape(-1, 3), shown[:, :_BORDER].reshape(-1, 3)])
    seen = np.median(frame, axis=0)
    return min(BACKGROUNDS, key=lambda name: float(((seen - np.array(BACKGROUNDS[name])) ** 2).sum()))


def _hue(shown: np.ndarray) -> str | None:
    """The colour word nearest to most of the object's saturated pixels."""
    left, top, right, bottom = _box(shown)
    part = cv2.cvtColor(shown[top:bottom, left:right], cv2.COLOR_RGB2HSV).astype(np.float32)
    ground = cv2.cvtColor(shown[:1, :1], cv2.COLOR_RGB2HSV).astype(np.float32)[0, 0]
    other = np.abs((part[..., 0] - ground[0] + 90) % 180 - 90) > 8
    other |= np.abs(part[..., 1] - ground[1]) > 60
    other |= np.abs(part[..., 2] - ground[2]) > 60
    wanted = other & (part[..., 1] > 70) & (part[..., 2] > 60)
    if wanted.sum() < 20:
        return None
    hues = part[..., 0][wanted] * 2
    votes = {name: int((np.abs((hues - degrees + 180) % 360 - 180) < 24).sum()) for name, degrees in COLOURS.items()}
    votes["red"] += int(((hues > 338) & (hues < 352)).sum())
    return max(votes, key=lambda name: votes[name])


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
