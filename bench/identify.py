"""Identification benchmark: copies that are recognised, beside the library's blind reads; search among a million.

python -m bench.identify                             201 pictures, every attack, 1,000 foreign ones, a million: an hour
python -m bench.identify --images 30 --foreign 60    a look
python -m bench.identify --attacks "jpeg 30,crop 50%"
python -m bench.identify --only index                the million alone
python -m bench.identify --only tables               what there is so far
python -m bench.identify --quick                     a few pictures, attacks and rows, made anew: two minutes

Results are kept in --work (a file of JSON lines) and not made again, so a run may be stopped and continued; after a
change of the code start with an empty folder. What is compared is pixels: manifests, which every attack here strips,
play no part. The library's methods mark and read every fourth picture.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.pictures import library
from bench.pictures.attacks import ATTACKS
from bench.pictures.gallery import FOREIGN_SEED, Released, Shelf, foreign_drawings, foreign_picture, release
from bench.pictures.scenes import scene
from bench.result import Ratio, parser, report
from bench.tables.identify import Kept, show_attacks, show_foreign, show_misses
from policy.fingerprints import CROPS, HASH_BYTES, Image, distance, perceptual_hash, turned_hashes
from policy.identify.answer import Identification
from policy.identify.descriptors import DESCRIPTORS_KEPT, BinaryDescriptors, binary_descriptors, projections
from policy.identify.features import ENOUGH_FEATURES, features, mirrored
from policy.identify.index import Index
from policy.identify.search import identify_pixels
from policy.intake.picture import Picture

Foreigner = Callable[[int], tuple[str, Image]]
FULL = {"images": 201, "foreign": 1_000, "attacks": ",".join(ATTACKS), "indexed": 1_000_000}
QUICK = {"images": 9, "foreign": 10, "attacks": "none,jpeg 30,crop 50%", "indexed": 50_000}


def asked_of(image: Image, shelf: Shelf) -> tuple[Identification, float]:
    height, width = image.shape[:2]
    picture = Picture(image, "image/png", width, height, "RGB", 1, 1, False, 0, b"")
    began = time.process_time()
    answer = identify_pixels(picture, None, shelf.index, shelf)
    return answer, time.process_time() - began


def attacked(number: int, each: Released, attack: str, shelf: Shelf) -> dict[str, Any]:
    """One copy: what we say of it, and what the library reads from the same copy of its own mark."""
    harm = ATTACKS[attack]
    chance = (number, list(ATTACKS).index(attack))
    answer, seconds = asked_of(harm(each.marked, np.random.default_rng(chance)), shelf)
    named = answer.asset.asset_id if answer.asset else None
    seen = next((each for each in answer.candidates if each.asset.asset_id == str(number)), None)
    reads = {
        method: library.read(harm(marked, np.random.default_rng(chance)), method) == each.watermark_id
        for method, marked in each.library.items()
    }
    return {
        "finding": answer.finding.value,
        "right": named == str(number),
        "plain": len(shelf.originals[number].features) < ENOUGH_FEATURES,
        "verified": answer.verified,
        "blind": answer.blind is not None and answer.blind.watermark_id == each.watermark_id,
        "likeness": seen and round(seen.likeness, 4),
        "detail": seen and round(seen.detail, 4),
        "seconds": seconds,
        **reads,
    }


def foreign(name: str, image: Image, shelf: Shelf) -> dict[str, Any]:
    """A picture that is nobody's: found is wrong."""
    answer, seconds = asked_of(image, shelf)
    best = answer.candidates[0] if answer.candidates else None
    return {
        "name": name,
        "finding": answer.finding.value,
        "verified": answer.verified,
        "likeness": best.likeness if best else 0.0,
        "detail": best.detail if best else 0.0,
        "seconds": seconds,
    }


def show_freedom(released: Sequence[Released]) -> None:
    """How many independent coins a hash is worth: p (1 - p) / variance of the distance between unrelated pictures."""
    hashes = [perceptual_hash(each.marked)[0] for each in released[::3]]
    apart = np.array([distance(a, b) / 256 for n, a in enumerate(hashes) for b in hashes[:n]])
    p, spread = float(apart.mean()), float(apart.var())
    print(
        f"\nhash distance of unrelated pictures: mean {256 * p:.1f}, worth {p * (1 - p) / spread:.0f} independent bits"
    )


def index_of_a_million(count: int, queries: int) -> list[Ratio]:
    """Time of one query's searches among synthetic hashes and codes; the process's threads as OpenCV takes them."""
    chance = np.random.default_rng(1)
    real = np.concatenate([binary_descriptors(features(scene(FOREIGN_SEED + 500 + n))) for n in range(40)])
    index = Index()
    began = time.perf_counter()
    step = 250_000
    for start in range(0, count, step):
        rows = min(step, count - start)
        index.add_rows(
            chance.integers(0, 256, (rows, HASH_BYTES), np.uint8),
            chance.integers(0, 256, (rows * len(CROPS), HASH_BYTES), np.uint8),
            _alike(real, rows * DESCRIPTORS_KEPT, chance),
            np.repeat(np.arange(rows), DESCRIPTORS_KEPT),
        )
    print(f"\n{count:,} synthetic pictures indexed in {time.perf_counter() - began:.0f} s")
    whole, parts, votes, spent = [], [], [], []
    for n in range(queries):
        image = scene(FOREIGN_SEED + n)
        hashes = list(turned_hashes(image)) * 2  # a whole picture and its largest region
        projected = projections(features(image).descriptors)
        turned = projections(mirrored(features(image)).descriptors)
        busy, asked = time.process_time(), time.perf_counter()
        index.nearest(hashes, most=12)
        looked = time.perf_counter()
        index.nearest_crops(hashes[:2], most=4)
        cut = time.perf_counter()
        for each in (projected, turned):
            index.voted(each, most=20)
        ended = time.perf_counter()
        whole.append(looked - asked)
        parts.append(cut - looked)
        votes.append(ended - cut)
        spent.append(time.process_time() - busy)
    every = [sum(each) for each in zip(whole, parts, votes, strict=True)]
    asked_for = {"16 hashes": whole, "2 hashes among crops": parts, "2 x 700 codes": votes, "all": every}
    for name, taken in {**asked_for, "all, processor time": spent}.items():
        print(f"  {name:22} median {1e3 * float(np.median(taken)):6.0f} ms, worst {1e3 * max(taken):6.0f} ms")
    least = _pass_seconds(count) / float(np.median(every))
    return [Ratio(f"one pass over the hashes over a question, {count:,} pictures", least, 2.0)]


def _pass_seconds(count: int) -> float:
    """Seconds that numpy takes to add up as many bytes as the hashes of the index: no search can read them quicker."""
    rows = np.zeros((count * (1 + len(CROPS)), HASH_BYTES), np.uint8).view(np.uint64)
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        rows.sum()
        taken.append(time.perf_counter() - began)
    return min(taken)


def _alike(real: BinaryDescriptors, count: int, chance: np.random.Generator) -> BinaryDescriptors:
    """Codes that crowd as real ones do: codes of scenes, each with some bits turned."""
    turned = np.zeros(count, np.uint64)
    for _ in range(8):
        turned ^= np.uint64(1) << chance.integers(0, 64, count, np.uint64)
    return real[chance.integers(0, len(real), count)] ^ turned


def work_off(
    jobs: Sequence[tuple[str, int, str]], released: Sequence[Released], kept: Kept, foreigner: Foreigner
) -> None:
    """Every job that has no result yet. Jobs come shuffled, so a run that was stopped is a fair sample of the whole."""
    shelf = Shelf(released)
    few = sum(len(each.features) < ENOUGH_FEATURES for each in shelf.originals)
    print(f"{len(released)} pictures, {few} with too few features to be found in a crop", flush=True)
    show_freedom(released)
    for kind, n, attack in jobs:
        if kind == "attacked":
            kept.of(kind, released[n].name, attack, lambda n=n, a=attack: attacked(n, released[n], a, shelf))
        else:
            kept.of(kind, f"foreign {n}", attack, lambda n=n: foreign(*foreigner(n), shelf))


def main() -> None:
    asked = _arguments()
    cv2.setNumThreads(1)  # a query's time is that of one core
    with tempfile.TemporaryDirectory(prefix="presswork-bench-") as fresh:
        asked.work = asked.work or Path(fresh if asked.quick else "out/identify")
        asked.work.mkdir(parents=True, exist_ok=True)
        ratios = _compared(asked)
    if asked.only in (None, "index"):
        cv2.setNumThreads(-1)
        ratios += index_of_a_million(asked.indexed, queries=10 if asked.quick else 40)
    report(ratios, asked.json)


def _compared(asked: argparse.Namespace) -> list[Ratio]:
    """Copies and foreign pictures, as many as are asked for and have no result yet; the tables of all."""
    names = [name.strip() for name in asked.attacks.split(",")]
    kept = Kept(asked.work, asked.images, asked.part)
    if asked.only in (None, "attacks", "foreign"):
        jobs = [("attacked", n, name) for name in names for n in range(asked.images) if asked.only != "foreign"]
        jobs += [("foreign", n, "none") for n in range(asked.foreign) if asked.only != "attacks"]
        part, parts = (int(each) for each in asked.part.split("/"))
        order = np.random.default_rng(5).permutation(len(jobs))[part - 1 :: parts]
        released = release(asked.images, asked.work, library_every=1 if asked.quick else 4)
        drawn = foreign_drawings(asked.foreign, asked.images, asked.work) if asked.only != "attacks" else []
        work_off([jobs[n] for n in order], released, kept, lambda n: foreign_picture(n, asked.images, drawn))
    if asked.only == "index":
        return []
    ratios = show_attacks(kept, names)
    if asked.misses:
        show_misses(kept)
    return ratios + show_foreign(kept)


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--images", type=int)
    options.add_argument("--foreign", type=int)
    options.add_argument("--attacks")
    options.add_argument("--indexed", type=int)
    options.add_argument("--only", choices=["attacks", "foreign", "index", "tables"])
    options.add_argument("--part", default="1/1", help="which share of the jobs, as 1/2: for several processes")
    options.add_argument("--work", type=Path, help="where results are kept (out/identify; --quick: nowhere)")
    options.add_argument("--misses", action="store_true", help="name every copy that was not found")
    asked = options.parse_args()
    for name, value in (QUICK if asked.quick else FULL).items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    return asked


if __name__ == "__main__":
    main()
