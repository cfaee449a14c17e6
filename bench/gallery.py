"""The pictures of bench.identify: released ones, with our mark and the library's, and others that never were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from imwatermark import WatermarkDecoder, WatermarkEncoder

from bench.scenes import scene
from policy.fingerprints import Image, fingerprint
from policy.identify.answer import Known
from policy.identify.examine import Original
from policy.identify.features import CODES_KEPT, codes
from policy.identify.index import Entry, Index
from policy.marks import payload, watermark

THINGS = (
    *("large strawberry", "apple", "banana", "hamburger", "doughnut", "cup of coffee", "cactus", "watch"),
    *("green umbrella", "purple backpack", "red car", "sneaker", "t-shirt", "camera"),
)
GROUNDS = ("white", "light blue", "teal", "yellow", "black", "pink", "mint", "navy", "beige")
FOREIGN_SEED = 50_000
LIBRARY = ("dwtDctSvd", "dwtDct")


@dataclass(frozen=True, slots=True)
class Released:
    """One picture of ours as it left, and the same as the library would have marked it."""

    name: str
    watermark_id: int
    marked: Image
    library: dict[str, Image]


class Shelf:
    """The library of identification, in memory. Asset ids are places in the list."""

    def __init__(self, released: Sequence[Released]) -> None:
        self.index = Index()
        self._known = [Known(str(n), each.watermark_id, "released", "bench") for n, each in enumerate(released)]
        self._by_code = {known.watermark_id: known for known in self._known}
        self._originals = [Original.of(each.marked) for each in released]
        pairs = zip(released, self._originals, strict=True)
        self.index.add([Entry(fingerprint(each.marked), codes(kept.features, most=CODES_KEPT)) for each, kept in pairs])

    def by_id(self, asset_id: str) -> Known | None:
        return self._known[int(asset_id)] if asset_id.isdecimal() and int(asset_id) < len(self._known) else None

    def by_watermark(self, watermark_id: int) -> Known | None:
        return self._by_code.get(watermark_id)

    def by_number(self, number: int) -> Known | None:
        return self._known[number]

    def original(self, asset: Known) -> Original | None:
        return self._originals[int(asset.asset_id)]


def pictures(images: int, work: Path) -> Iterator[tuple[str, Image]]:
    """Half scenes in families of three, half of the built-in model; the latter every second one enlarged."""
    scenes = (images + 1) // 2
    for n in range(scenes):
        yield f"scene {n // 3}.{n % 3}", scene(n // 3, n % 3)
    drawn = drawings(images - scenes, work)
    for n, (name, image) in enumerate(drawn):
        large = cv2.resize(image, (512, 512), interpolation=cv2.INTER_CUBIC) if n % 2 else image
        yield name, np.asarray(large, np.uint8)


def foreign_pictures(count: int, known: int, work: Path) -> Iterator[tuple[str, Image]]:
    """Pictures that were never released: other scenes, further variants of released ones, other seeds of the model."""
    for n in range(count):
        if n % 4 == 3:
            yield f"twin {n}", scene(n // 4 % max(1, known // 6), 7 + n)
        else:
            yield f"foreign {n}", scene(FOREIGN_SEED + n, 0)


def drawings(count: int, work: Path) -> list[tuple[str, Image]]:
    """Pictures of the built-in model, drawn once and kept as PNG."""
    folder = work / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(thing, ground, seed) for seed in range(8) for ground in GROUNDS for thing in THINGS][:count]
    missing = [job for job in jobs if not (folder / _file(job)).exists()]
    if missing:
        _draw(missing, folder)
    return [
        (_file(job), np.asarray(cv2.imread(str(folder / _file(job)), cv2.IMREAD_COLOR_RGB), np.uint8)) for job in jobs
    ]


def _file(job: tuple[str, str, int]) -> str:
    return f"{job[0]}, {job[1]}, {job[2]}.png".replace(" ", "-")


def _draw(jobs: Sequence[tuple[str, str, int]], folder: Path) -> None:
    import torch  # noqa: PLC0415 - seconds, and only where something is to be drawn
    from diffusers import StableDiffusionPipeline  # noqa: PLC0415

    torch.set_num_threads(1)  # small tensors: threads wait for each other
    pipeline = StableDiffusionPipeline.from_pretrained("models/starter", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    for start in range(0, len(jobs), 8):
        some = jobs[start : start + 8]
        images = pipeline(
            [f"a {thing} on a {ground} background, product photo" for thing, ground, _ in some],
            num_inference_steps=8,
            guidance_scale=3.0,
            guidance_rescale=0.5,
            height=128,
            width=128,
            output_type="np",
            generator=[torch.Generator().manual_seed(1000 + seed) for _, _, seed in some],
        ).images
        for job, image in zip(some, images, strict=True):
            small = np.asarray((image * 255).round(), np.uint8)
            cv2.imwrite(str(folder / _file(job)), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))


def release(named: Sequence[tuple[str, Image]]) -> list[Released]:
    """Marked by us, and by the library's two methods with the same payload."""
    chance = np.random.default_rng(7)
    released = []
    for name, image in named:
        watermark_id = int(chance.integers(1 << 48))
        ours = watermark.embed(image, watermark_id, watermark.ladder(image)[0])
        library = {method: _library_mark(image, watermark_id, method) for method in LIBRARY}
        released.append(Released(name, watermark_id, ours, library))
    return released


def _library_mark(image: Image, watermark_id: int, method: str) -> Image:
    if image.shape[0] * image.shape[1] < 256 * 256:
        return image  # it refuses smaller pictures
    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", payload.encode(watermark_id).tolist())
    marked = encoder.encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), method)
    return np.asarray(cv2.cvtColor(marked, cv2.COLOR_BGR2RGB), np.uint8)


def library_read(image: Image, method: str) -> int | None:
    if image.shape[0] * image.shape[1] < 256 * 256:
        return None
    try:
        bits = WatermarkDecoder("bits", payload.CODE_BITS).decode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), method)
    except (RuntimeError, ValueError, IndexError, cv2.error):
        return None
    found = payload.decode(np.array(bits, np.uint8))
    return found and found.watermark_id
