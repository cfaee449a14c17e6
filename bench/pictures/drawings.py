"""Drawings of the built-in model, made once and kept as PNG: as it draws them, and enlarged for the sample campaign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from bench.system import REPOSITORY
from policy.fingerprints import Image

GUIDANCE = 1.5
_AT_ONCE = 8


class Drawing(NamedTuple):
    """What is drawn: a thing on a ground, from the noise of a seed."""

    thing: str
    ground: str
    seed: int
    guidance: float = GUIDANCE

    @property
    def file(self) -> str:
        strength = "" if self.guidance == GUIDANCE else f", {self.guidance:g}"
        return f"{self.thing}, {self.ground}, {self.seed}{strength}.png".replace(" ", "-")


def drawn_of(jobs: Sequence[Drawing], work: Path) -> list[Image]:
    """128 pixels a side."""
    folder = work / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not (folder / job.file).exists()]
    if missing:
        _draw(missing, folder)
    return [_read(folder / job.file) for job in jobs]


def enlarged_of(jobs: Sequence[Drawing], work: Path) -> list[Image]:
    """512 pixels a side, by the model's own upscaler."""
    folder = work / "enlarged"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [job for job in dict.fromkeys(jobs) if not (folder / job.file).exists()]
    if missing:
        import torch  # noqa: PLC0415 - seconds, and only where something is to be drawn

        from workers.sampling.cards.registry import Registry  # noqa: PLC0415
        from workers.sampling.enlarge import Enlarger  # noqa: PLC0415

        torch.set_num_threads(1)
        registry = Registry.load(REPOSITORY / "models")
        enlarger = Enlarger(registry.upscalers_of(registry.get("studio"))[4], torch.device("cpu"))
        for job, small in zip(missing, drawn_of(missing, work), strict=True):
            _write(folder / job.file, np.asarray(enlarger.enlarge(small), np.uint8))
    return [_read(folder / job.file) for job in jobs]


def _draw(jobs: Sequence[Drawing], folder: Path) -> None:
    import torch  # noqa: PLC0415 - seconds, and only where something is to be drawn
    from diffusers import StableDiffusionPipeline  # noqa: PLC0415

    torch.set_num_threads(1)  # small tensors: threads wait for each other
    pipeline = StableDiffusionPipeline.from_pretrained(REPOSITORY / "models" / "studio", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    for guidance in dict.fromkeys(job.guidance for job in jobs):
        alike = [job for job in dict.fromkeys(jobs) if job.guidance == guidance]
        for start in range(0, len(alike), _AT_ONCE):
            some = alike[start : start + _AT_ONCE]
            images = pipeline(
                [f"a {job.thing} on a {job.ground} background, product photo" for job in some],
                num_inference_steps=8,
                guidance_scale=guidance,
                height=128,
                width=128,
                output_type="np",
                generator=[torch.Generator().manual_seed(1000 + job.seed) for job in some],
            ).images
            for job, image in zip(some, images, strict=True):
                _write(folder / job.file, np.asarray((image * 255).round(), np.uint8))


def _read(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)


def _write(path: Path, image: Image) -> None:
    """Whole or not at all: a run that is killed here leaves no half picture to the next one."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    beside = path.with_suffix(".part")
    beside.write_bytes(data.tobytes())
    beside.replace(path)
