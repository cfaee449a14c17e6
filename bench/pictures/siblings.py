"""Siblings: pictures that resemble a released one as nothing else does, and were never released.

Half of the released pictures are drawn by the built-in model, half are staged by formula: a scene, an object in it and
a headline. There are two series of them: thresholds were chosen by pictures of the first, by none of the second. Each
kind of sibling differs from its released picture in one thing. Some are worn as copies are, and some carry a mark that
another installation wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.pictures.attacks import ATTACKS
from bench.pictures.drawings import Drawing, enlarged_of
from bench.pictures.gallery import GROUNDS, THINGS
from bench.pictures.scenes import scene
from policy.fingerprints import Image
from policy.marks import watermark

PROMPTS, STAGED = len(THINGS), 14  # released pictures of each sort
SERIES = PROMPTS + STAGED  # places of the first series; those of the second come behind them
WEAR = ("none", "jpeg 60", "resize 0.5", "grey", "screenshot", "crop 75%")
KINDS = {  # how many of 1,000
    "another seed": 300,
    "another object, same ground and seed": 100,
    "another guidance, same seed": 100,
    "another seed, marked by another": 100,
    "another object in the scene": 150,
    "another headline on the scene": 150,
    "another object and headline": 100,
}
_GUIDANCES = (1.0, 1.25, 2.0, 2.5, 3.0)
_SIDE = 768
_HEADLINES = ("SUMMER SALE", "NEW IN STORE", "MADE TO LAST", "ONLY TODAY", "FRESH DAILY", "BACK AGAIN", "FREE RETURNS")


@dataclass(frozen=True, slots=True)
class Sibling:
    """One sibling of the released picture at `place`; `number` tells apart those of one kind and place."""

    kind: str
    place: int
    number: int
    wear: str

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.place}, {self.number}, {self.wear}"

    def drawing(self) -> Drawing | None:
        """What the model has to draw for it; None for a staged one."""
        if not is_drawn(self.place):
            return None
        released = drawing_of(self.place)
        if self.kind == "another guidance, same seed":
            return released._replace(guidance=_GUIDANCES[self.number % len(_GUIDANCES)])
        if self.kind == "another object, same ground and seed":
            return released._replace(thing=THINGS[(self.place + 1 + self.number) % PROMPTS])
        return released._replace(seed=released.seed + 1 + self.number)

    def image(self, work: Path) -> Image:
        chance = np.random.default_rng((sum(self.name.encode()), self.place, self.number))
        return ATTACKS[self.wear](self._unworn(work, chance), chance)

    def _unworn(self, work: Path, chance: np.random.Generator) -> Image:
        if (job := self.drawing()) is not None:
            (drawn,) = enlarged_of([job], work)
            if self.kind == "another seed, marked by another":
                return watermark.embed(drawn, int(chance.integers(1 << 48)), watermark.ladder(drawn)[0])
            return drawn
        staged_at, other = _stage(self.place), 1 + self.number
        return staged(
            staged_at,
            thing=0 if "headline on" in self.kind else other,
            headline=0 if "object in" in self.kind else other,
        )


def is_drawn(place: int) -> bool:
    """Whether the model drew the released picture at `place`; else it is staged."""
    return place % SERIES < PROMPTS


def drawing_of(place: int) -> Drawing:
    """What the model drew of the released picture at `place`. The second series: on other grounds, of other noise."""
    series, thing = divmod(place, SERIES)
    return Drawing(THINGS[thing], GROUNDS[(thing + 4 * series) % len(GROUNDS)], 200 * series)


def _stage(place: int) -> int:
    return place % SERIES - PROMPTS + STAGED * (place // SERIES)


def source(place: int, work: Path) -> Image:
    """A released picture before it was marked."""
    return enlarged_of([drawing_of(place)], work)[0] if is_drawn(place) else staged(_stage(place))


def siblings(each: dict[str, int]) -> list[Sibling]:
    """So many of each kind, at every place and of every wear in turn."""
    found = list[Sibling]()
    for kind, count in each.items():
        places = range(PROMPTS, PROMPTS + STAGED) if "headline" in kind or "scene" in kind else range(PROMPTS)
        most = len(_GUIDANCES) if "guidance" in kind else PROMPTS - 1 if "ground" in kind else 10**6
        for n in range(count):
            number = n // len(places)
            wear = WEAR[(n + number) % len(WEAR)]
            found.append(Sibling(kind, places[n % len(places)], number % most, wear))
    return list({one.name: one for one in found}.values())


def draw_all(wanted: Sequence[Sibling], work: Path) -> None:
    """Every drawing that these siblings and their released pictures need, at once: the model takes seconds to load."""
    jobs = [drawing_of(place) for place in range(2 * SERIES) if is_drawn(place)]
    jobs += [job for each in wanted if (job := each.drawing()) is not None]
    enlarged_of(list(dict.fromkeys(jobs)), work)


def staged(place: int, *, thing: int = 0, headline: int = 0) -> Image:
    """A scene with one object and a headline. Other numbers exchange the object or the words, and nothing else."""
    ground = cv2.resize(scene(3_000 + 5 * place + 2 + place % 3), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    canvas = ground.astype(np.float32)
    shared, own = np.random.default_rng((place, 90)), np.random.default_rng((place, thing, 91))
    middle = np.array([shared.uniform(0.35, 0.65), shared.uniform(0.5, 0.65)]) * _SIDE
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = 1 + np.sum([own.uniform(0, 0.2) * np.sin(k * angles + own.uniform(0, 6)) for k in range(2, 7)], 0)
    outline = middle + np.stack([np.cos(angles), np.sin(angles) * own.uniform(0.7, 1.2)], 1) * radius[:, None] * 150
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.fillPoly(mask, [outline.astype(np.int32)], 255, cv2.LINE_AA)
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    light = np.clip(1.2 - np.hypot(x - middle[0] + 70, y - middle[1] + 80) / 420, 0.2, 1.3)[..., None]
    surface = own.integers(40, 235, 3) * light
    for _ in range(int(own.integers(3, 8))):
        at = tuple(int(each) for each in own.normal(middle, 70))
        accent = [int(each) for each in own.integers(10, 250, 3)]
        cv2.ellipse(surface, at, (int(own.integers(10, 60)), int(own.integers(8, 40))), 30, 0, 360, accent, -1)
    share = mask[..., None] / np.float32(255)
    picture: Image = np.clip(canvas * (1 - share) + surface * share, 0, 255).astype(np.uint8)
    words = _HEADLINES[(place + headline) % len(_HEADLINES)] + ("" if headline < len(_HEADLINES) else f" {headline}")
    for colour, thick in (((20, 20, 20), 12), ((250, 250, 250), 5)):
        cv2.putText(picture, words, (40, 120), cv2.FONT_HERSHEY_DUPLEX, 2.2, colour, thick, cv2.LINE_AA)
    return picture
