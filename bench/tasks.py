"""Tasks benchmark: the engine over plain diffusers for each task, what pictures cost, and what kept latents save.

    python -m bench.tasks            a few minutes on one core; --quick: the tiny families and 512 x 512, a minute

The plain side is the call of the very pipeline that the engine uses, with the same arguments and a scheduler of its
own, so what differs is the engine's: screening, marks and stores are not in it. Costs are CPU time of one thread.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.result import Ratio, parser, report
from policy.intake.picture import open_picture
from tests.support.products import bottle
from tests.support.tiny_models.instances import build
from workers.gpu.backgrounds import load_network
from workers.intake.sanitise import encoded
from workers.jobs.types import Claim, ClaimedItem
from workers.masks import choose, compositing
from workers.masks.backgrounds import remove_background
from workers.recipes import Recipe
from workers.sampling.calls import Called, arguments_of
from workers.sampling.cards.mask_networks import read_mask_network
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.given.pictures import GivenPicture, pictures_for
from workers.sampling.kept.latents import SourceLatents
from workers.sampling.sampler import DiffusersSampler

MODELS = Path(__file__).resolve().parent.parent / "models"
TASKS = (
    *(("studio", "text-to-image"), ("studio", "image-to-image"), ("studio", "inpaint")),
    *(("sd-control", "control"), ("instruct-pix2pix", "edit")),
)
SIDE = {"studio": 128}  # of what is drawn; the tiny families draw 64
STEPS, VARIANTS = 8, 16
Timed = Callable[[], object]


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Goes on."""


class Asked:
    """One picture of a task, asked of the engine and of plain diffusers."""

    def __init__(self, sampler: DiffusersSampler, card: ModelCard, task: str, images: int = 1) -> None:
        side, strength = SIDE.get(card.name, 64), 0.6 if task in ("image-to-image", "inpaint") else None
        guidance = min(2.0, card.max_guidance_scale)
        self.recipe = Recipe(
            card.name, card.revision, side, side, STEPS, card.scheduler, guidance, task=task, strength=strength
        )
        self.items = tuple(ClaimedItem(f"i{n}", "r", "t", "c", n, "a red mug", "", n) for n in range(images))
        shown = pictures_for(self.recipe, {} if task == "text-to-image" else _given(task))
        self.pictures = {item.id: shown for item in self.items} if shown else {}
        self._sampler = sampler
        sampler.preload(card.name)
        self._loaded = sampler._pipelines.get(card)

    def ours(self) -> object:
        return self._sampler.sample(Claim("b", 1, self.recipe, "gpu", self.items), Watch(), self.pictures)

    def plain(self) -> object:
        """As a program of its own would call it."""
        pipe, call = self._loaded.pipe_for(self.recipe.task)
        extra: dict[str, Any] = {
            option: [given[option] for given in self.pictures.values()]
            for option in next(iter(self.pictures.values()), {})
        }
        if self.recipe.strength is not None:
            extra["strength"] = self.recipe.strength
        arguments = arguments_of(Called(self._loaded.family, call, pipe), self.recipe, self.items, extra)
        pipe.scheduler = type(pipe.scheduler).from_config(self._loaded.scheduler_config)
        with torch.inference_mode():
            return pipe(**arguments)


def _given(task: str) -> dict[str, GivenPicture]:
    shot = bottle(192)
    mask = np.repeat((255 - shot.alpha)[..., None], 3, axis=2)
    role = "control_image" if task == "control" else "image"
    given = {role: GivenPicture(b"", shot.picture, None)}
    return given | ({"mask": GivenPicture(b"", mask, None)} if task == "inpaint" else {})


def engine(sampler: DiffusersSampler, registry: Registry, *, repeats: int, quick: bool) -> Iterator[Ratio]:
    """Interleaved, so that what else runs meets both; neither side finds latents or embeddings of the other."""
    for name, task in TASKS:
        if quick and name == "studio" and task != "inpaint":
            continue
        asked = Asked(sampler, registry.get(name), task)
        ours, plain = list[float](), list[float]()
        for turn in range(repeats + 1):
            for one, into in ((asked.plain, plain), (asked.ours, ours)):
                sampler._latents.forget()
                sampler._embeddings.forget()
                spent = _cpu(one)
                if turn:  # the first of each warms up
                    into.append(spent)
        print(f"{name:18} {task:16} {1e3 * median(ours):9.1f} ms  plain {1e3 * median(plain):9.1f} ms", flush=True)
        yield Ratio(f"{name}, {task}: engine over plain diffusers", median(plain) / median(ours))


def latents(sampler: DiffusersSampler, registry: Registry, *, repeats: int) -> Ratio:
    """Variants of one picture, with what was encoded once kept, and without. Studio's autoencoder is a small one."""
    studio = Asked(sampler, registry.get("studio"), "image-to-image", VARIANTS)
    kept, again = list[float](), list[float]()
    for _ in range(repeats):
        for most, into in ((1 << 28, kept), (0, again)):
            sampler._latents._kept = SourceLatents(most)._kept
            into.append(_cpu(studio.ours))
    print(f"{VARIANTS} variants: {median(kept):.2f} s with kept latents, {median(again):.2f} s without", flush=True)
    return Ratio(f"{VARIANTS} variants of one picture: with kept latents over without", median(again) / median(kept))


def costs(sides: tuple[int, ...], *, repeats: int) -> None:
    """Milliseconds of CPU time a picture, by what is done with it before and after a model."""
    card = read_mask_network(MODELS)
    assert card is not None
    network = load_network(card)
    print("\npixels       intake     mask   cut out   compositing")
    for side in sides:
        shot = bottle(side)
        buffer = BytesIO()
        Image.fromarray(shot.picture).save(buffer, "JPEG", quality=95)
        sent, alpha = buffer.getvalue(), choose.choose(shot.picture, network).mask.alpha
        removed = remove_background(shot.picture, None, given=alpha)
        ground = np.full_like(shot.picture, 200)
        work: tuple[Timed, ...] = (
            partial(_intake, sent),
            partial(network.find, shot.picture),
            partial(remove_background, shot.picture, None, given=alpha),
            partial(compositing.composite, removed.cutout, ground),
        )
        spent = [1e3 * median(_cpu(one) for _ in range(repeats)) for one in work]
        print(f"{side:4} x {side:<4} " + "".join(f"{each:9.1f}" for each in spent), flush=True)


def _intake(sent: bytes) -> bytes:
    return encoded(open_picture(sent))


def _cpu(work: Timed) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    asked = parser(__doc__).parse_args()
    repeats = 3 if asked.quick else 7
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder)
        for name in {name for name, _ in TASKS} - {"studio"}:
            build(tiny, name, 64)
        own = Registry.load(MODELS)
        registry = Registry({**own.cards, **Registry.load(tiny).cards}, own.upscalers, own.adapters)
        sampler = DiffusersSampler(registry, "cpu", 1)
        ratios = [*engine(sampler, registry, repeats=repeats, quick=asked.quick)]
        ratios.append(latents(sampler, registry, repeats=1 if asked.quick else 3))
        costs((512,) if asked.quick else (512, 1024), repeats=2 if asked.quick else 5)
    report(ratios, asked.json)


if __name__ == "__main__":
    main()
