"""Training set: scenes rendered once and kept as latents; captions are written anew each time a scene is used.

Killed while drawing: what is there is not used, as `scenes.json` is written last, and the next run draws again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Self

import numpy as np

from models.train.captions import caption
from models.train.goods import GOODS
from models.train.latents import PATCH, Latents
from models.train.scenes import PIXELS, Scene, draw_scene, foreground, picture
from models.train.sprites import Sprites

_FIT_ON = 1_500  # pictures that the components are computed from
_AT_ONCE = 250
_CELLS = PIXELS // PATCH


@dataclass(frozen=True, slots=True)
class Dataset:
    """Scenes, their latents [N, 4, 32, 32] float16 and foregrounds [N, 32, 32] bool, in the same order."""

    scenes: Sequence[Scene]
    latents: np.ndarray
    foregrounds: np.ndarray
    own_colours: dict[str, str | None]

    @classmethod
    def load(cls, work: Path) -> Self:
        stored = json.loads((work / "scenes.json").read_text("utf-8"))
        return cls(
            [Scene(**scene) for scene in stored["scenes"]],
            np.load(work / "latents.npy", mmap_mode="r"),
            np.load(work / "foregrounds.npy", mmap_mode="r"),
            stored["own_colours"],
        )

    def caption(self, chance: random.Random, number: int) -> str:
        """A fresh caption of one scene."""
        scene = self.scenes[number]
        return caption(chance, scene, self.own_colours[scene.good])


def make(sources: Path, work: Path, *, count: int, seed: int, processes: int) -> None:
    """Draw `count` scenes and store them under `work`."""
    work.mkdir(parents=True, exist_ok=True)
    if _is_made(work, count, seed):
        print(f"data: {count:,} scenes of seed {seed} are there")
        return
    (work / "scenes.json").unlink(missing_ok=True)
    sprites = Sprites(sources)
    chance = random.Random(seed)
    scenes = [draw_scene(chance, sprites) for _ in range(count)]
    if not (work / "components.npz").exists():
        Latents.fit(np.stack([picture(scene, sprites) for scene in scenes[:_FIT_ON]])).save(work / "components.npz")
    latents = np.lib.format.open_memmap(work / "latents.npy", "w+", np.float16, (count, 4, _CELLS, _CELLS))
    masks = np.lib.format.open_memmap(work / "foregrounds.npy", "w+", bool, (count, _CELLS, _CELLS))
    parts = [scenes[begin : begin + _AT_ONCE] for begin in range(0, count, _AT_ONCE)]
    with ProcessPoolExecutor(processes, forking(), _begin, (sources, work)) as pool:
        for number, (encoded, mask) in enumerate(pool.map(_drawn, parts)):
            begin = number * _AT_ONCE
            latents[begin : begin + len(encoded)], masks[begin : begin + len(mask)] = encoded, mask
            print(f"\rdata: {begin + len(encoded):,} of {count:,} scenes", end="", flush=True)
    print()
    stored = {
        "seed": seed,
        "own_colours": {good.name: sprites.own_colour(good) for good in GOODS},
        "scenes": [asdict(scene) for scene in scenes],
    }
    (work / "scenes.json").write_text(json.dumps(stored), "utf-8")


def forking() -> ForkServerContext:
    """How processes are started: forked from one that has imported torch, which costs each of them 6 s of CPU."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["models.train.denoiser"])
    return context


def _is_made(work: Path, count: int, seed: int) -> bool:
    try:
        stored = json.loads((work / "scenes.json").read_text("utf-8"))
    except OSError:
        return False
    return stored["seed"] == seed and len(stored["scenes"]) == count


_of_process: dict[str, Sprites | Latents] = {}


def _begin(sources: Path, work: Path) -> None:
    _of_process["sprites"] = Sprites(sources)
    _of_process["latents"] = Latents.load(work / "components.npz")


def _drawn(scenes: Sequence[Scene]) -> tuple[np.ndarray, np.ndarray]:
    sprites, latents = _of_process["sprites"], _of_process["latents"]
    assert isinstance(sprites, Sprites)  # noqa: S101
    assert isinstance(latents, Latents)  # noqa: S101
    encoded = latents.encode(np.stack([picture(scene, sprites) for scene in scenes])).astype(np.float16)
    masks = np.stack([foreground(scene, sprites) for scene in scenes])
    cells = masks.reshape(len(scenes), _CELLS, PATCH, _CELLS, PATCH).any((2, 4))
    return encoded, cells
