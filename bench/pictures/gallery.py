"""Pictures of bench.identify: released ones, with our mark and the library's, and others that never were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.pictures import library
from bench.pictures.artworks import artwork
from bench.pictures.drawings import Drawing, drawn_of, enlarged_of
from bench.pictures.scenes import scene
from policy.fingerprints import Image, fingerprint
from policy.identify.answer import KnownAsset
from policy.identify.descriptors import DESCRIPTORS_KEPT, binary_descriptors
from policy.identify.features import ENOUGH_FEATURES
from policy.identify.index import Index, IndexEntry
from policy.identify.low_texture import thumbnail
from policy.identify.original import Original
from policy.marks import watermark

THINGS = (
    *("large strawberry", "apple", "banana", "hamburger", "doughnut", "cup of coffee", "cactus", "watch"),
    *("green umbrella", "purple backpack", "red car", "sneaker", "t-shirt", "camera"),
)
GROUNDS = ("white", "light blue", "teal", "yellow", "black", "pink", "mint", "navy", "beige")
FOREIGN_SEED = 50_000


@dataclass(frozen=True, slots=True)
class Released:
    """One picture of ours as it left, and for some the same as the library would have marked it."""

    name: str
    watermark_id: int
    marked: Image
    library: dict[str, Image]


class Shelf:
    """The library of identification, in memory. Asset ids are places in the list."""

    def __init__(self, released: Sequence[Released]) -> None:
        self.index = Index()
        self._known = [KnownAsset(str(n), each.watermark_id, "released", "bench") for n, each in enumerate(released)]
        self._by_code = {known.watermark_id: known for known in self._known}
        self.originals = [Original.of(each.marked) for each in released]
        pairs = zip(released, self.originals, strict=True)
        self.index.add([_entry(each.marked, kept) for each, kept in pairs])

    def by_id(self, asset_id: str) -> KnownAsset | None:
        return self._known[int(asset_id)] if asset_id.isdecimal() and int(asset_id) < len(self._known) else None

    def by_watermark(self, watermark_id: int) -> KnownAsset | None:
        return self._by_code.get(watermark_id)

    def by_number(self, number: int) -> KnownAsset | None:
        return self._known[number]

    def original(self, asset: KnownAsset) -> Original | None:
        return self.originals[int(asset.asset_id)]


def _entry(marked: Image, original: Original) -> IndexEntry:
    plain = thumbnail(marked) if len(original.features) < ENOUGH_FEATURES else b""
    return IndexEntry(fingerprint(marked), binary_descriptors(original.features, most=DESCRIPTORS_KEPT), plain)


def pictures(images: int, work: Path) -> Iterator[tuple[str, Image]]:
    """A third scenes in families of three, a third artworks, a third of the built-in model."""
    third = images // 3
    for n in range(third):
        yield f"scene {n // 3}.{n % 3}", scene(n // 3, n % 3)
    for n in range(third):
        yield f"artwork {n}", artwork(n)
    yield from _drawn(images - 2 * third, 0, work)


def foreign_picture(n: int, known: int, drawn: Sequence[tuple[str, Image]]) -> tuple[str, Image]:
    """Never released: in every ten four other scenes, four other artworks and two near twins, now and then a drawing.

    Twins are further variants of released scenes and artworks; drawings show the things of the released ones, from the
    same noise, on other grounds.
    """
    third = known // 3
    if n % 50 == 49 and n // 50 < len(drawn):
        return drawn[n // 50]
    match n % 10:
        case 0 | 2 | 4 | 6:
            return f"scene {n}", scene(FOREIGN_SEED + n)
        case 8:
            return f"twin scene {n}", scene(n // 10 % (third // 3), 7 + n)
        case 5:
            return f"twin artwork {n}", artwork(n // 10 % third, 7 + n)
        case _:
            return f"artwork {n}", artwork(FOREIGN_SEED + n // 2)


def foreign_drawings(count: int, known: int, work: Path) -> list[tuple[str, Image]]:
    """What the model draws of the same things from the same noise on other grounds."""
    return list(_drawn(count // 50, known - 2 * (known // 3), work))


def _drawn(count: int, after: int, work: Path) -> Iterator[tuple[str, Image]]:
    """So many drawings after the first so many: enlarged to 512 as the sample campaign is, every fourth left at 128."""
    jobs = _jobs(after + count)[after:]
    small = dict(zip(jobs[::4], drawn_of(jobs[::4], work), strict=True))
    large = [job for n, job in enumerate(jobs) if n % 4]
    every = small | dict(zip(large, enlarged_of(large, work), strict=True))
    for job in jobs:
        yield job.file, every[job]


def _jobs(count: int) -> list[Drawing]:
    return [Drawing(thing, ground, seed) for seed in range(8) for ground in GROUNDS for thing in THINGS][:count]


def release(images: int, work: Path, *, library_every: int) -> list[Released]:
    """Marked by us; every so many also by the library's two methods with the same payload. Made once and kept."""
    folder = work / f"released-{images}"
    folder.mkdir(parents=True, exist_ok=True)
    made = pictures(images, work) if len(list(folder.iterdir())) < images else None
    chance = np.random.default_rng(7)
    released = []
    for n in range(images):
        watermark_id, kept = int(chance.integers(1 << 48)), folder / f"{n}.npz"
        if made is not None:
            name, image = next(made)
            methods = library.METHODS if n % library_every == 0 else ()
            theirs = {method: library.marked(image, watermark_id, method) for method in methods}
            ours = watermark.embed(image, watermark_id, watermark.ladder(image)[0])
            np.savez(kept, name=np.array(name), ours=ours, **theirs)  # type: ignore[arg-type]
        with np.load(kept) as arrays:
            theirs = {method: arrays[method] for method in library.METHODS if method in arrays}
            released.append(Released(str(arrays["name"]), watermark_id, arrays["ours"], theirs))
    return released
