"""Which copies of released pictures are recognised, beside the library's blind reads; how fast a million is searched.

python -m bench.identify                             240 pictures, every attack, 1,000 foreign ones, a million: hours
python -m bench.identify --images 30 --foreign 60    a look
python -m bench.identify --attacks "jpeg 30,crop 50%"
python -m bench.identify --only index                the million alone

Results are kept in --work (a file of JSON lines) and not made again, so a run may be stopped and continued. Pictures:
half are scenes by formula in families of three variants, half drawn by the built-in model in families of seeds, as they
come and enlarged to 512. What is compared is pixels: manifests, which every attack here strips, play no part.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.attacks import ATTACKS
from bench.gallery import FOREIGN_SEED, LIBRARY, Released, Shelf, foreign_pictures, library_read, pictures, release
from bench.scenes import scene
from policy.fingerprints import CROPS, HASH_BYTES, Image, distance, perceptual_hash, turned_hashes
from policy.identify.answer import Answer
from policy.identify.examine import Original
from policy.identify.features import CODES_KEPT, features, projections
from policy.identify.index import Index
from policy.identify.search import identify_pixels
from policy.intake.picture import Picture


class Kept:
    """Results by (kind, picture, attack), in a file that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.rows[row["kind"], row["picture"], row["attack"]] = row

    def of(self, kind: str, picture: str, attack: str, make: Any) -> dict[str, Any]:
        key = (kind, picture, attack)
        if key not in self.rows:
            self.rows[key] = {"kind": kind, "picture": picture, "attack": attack, **make()}
            with self._path.open("a") as file:
                file.write(json.dumps(self.rows[key]) + "\n")
        return self.rows[key]


def _asked(image: Image, shelf: Shelf) -> tuple[Answer, float]:
    height, width = image.shape[:2]
    picture = Picture(image, "image/png", width, height, "RGB", 1, 1, False, 0, b"")
    began = time.process_time()
    answer = identify_pixels(picture, None, shelf.index, shelf)
    return answer, time.process_time() - began


def attacked(number: int, each: Released, attack: str, shelf: Shelf) -> dict[str, Any]:
    """One copy: what we say of it, and what the library reads from the same copy of its own mark."""
    harm = ATTACKS[attack]
    chance = (number, list(ATTACKS).index(attack))
    answer, seconds = _asked(harm(each.marked, np.random.default_rng(chance)), shelf)
    named = answer.asset.asset_id if answer.asset else None
    reads = {
        method: library_read(harm(marked, np.random.default_rng(chance)), method) == each.watermark_id
        for method, marked in each.library.items()
    }
    return {
        "finding": answer.finding.value,
        "right": named == str(number),
        "verified": answer.verified,
        "blind": answer.blind is not None and answer.blind.watermark_id == each.watermark_id,
        "seconds": seconds,
        **reads,
    }


def foreign(image: Image, shelf: Shelf) -> dict[str, Any]:
    """A picture that is nobody's: found is wrong."""
    answer, seconds = _asked(image, shelf)
    best = answer.candidates[0] if answer.candidates else None
    return {
        "finding": answer.finding.value,
        "verified": answer.verified,
        "likeness": best.likeness if best else 0.0,
        "detail": best.detail if best else 0.0,
        "seconds": seconds,
    }


def show_attacks(kept: Kept, names: Sequence[str]) -> None:
    print(
        "\nPer cent of copies. found: ours, and the right one. wrong: ours, another one. blind: exact read by itself."
    )
    print(
        f"{'attack':24} {'copies':>6} {'found':>6} {'verif.':>6} {'wrong':>6} {'confl.':>6} {'blind':>6}",
        *LIBRARY,
        "  s",
    )
    total: dict[str, list[float]] = defaultdict(list)
    for name in names:
        rows = [row for (kind, _, attack), row in kept.rows.items() if kind == "attacked" and attack == name]
        if not rows:
            continue
        ours = [row["finding"] == "ours" for row in rows]
        columns = {
            "found": [own and row["right"] for own, row in zip(ours, rows, strict=True)],
            "verified": [row["verified"] and row["right"] for row in rows],
            "wrong": [own and not row["right"] for own, row in zip(ours, rows, strict=True)],
            "conflicting": [row["finding"] == "conflicting" for row in rows],
            "blind": [row["blind"] for row in rows],
            **{method: [row[method] for row in rows] for method in LIBRARY},
            "seconds": [row["seconds"] for row in rows],
        }
        for column, values in columns.items():
            total[column] += values
        _row(name, len(rows), columns)
    if total:
        _row("all", len(total["found"]), total)
        blind, library = (100 * float(np.mean(total[name])) for name in ("blind", "dwtDctSvd"))
        print(f"blind reads over the library's dwtDctSvd: {blind / max(library, 0.1):.2f}")


def _row(name: str, count: int, columns: dict[str, list[Any]]) -> None:
    shown = [f"{100 * float(np.mean(values)):6.1f}" for column, values in columns.items() if column != "seconds"]
    print(f"{name:24} {count:6}", *shown, f"{float(np.median(columns['seconds'])):5.2f}", flush=True)


def show_foreign(kept: Kept) -> None:
    rows = [row for (kind, _, _), row in kept.rows.items() if kind == "foreign"]
    wrong = [row for row in rows if row["finding"] != "not_found"]
    print(f"\n{len(rows)} foreign pictures: {len(wrong)} not answered 'not found'")
    for row in wrong:
        print("  ", row)
    if rows:
        near = sorted((row["likeness"], row["detail"]) for row in rows)[-3:]
        print("   the most alike (whole, detail):", ", ".join(f"{whole:.2f}, {fine:.2f}" for whole, fine in near))


def show_freedom(released: Sequence[Released]) -> None:
    """How many independent coins a hash is worth: p (1 - p) / variance of the distance between unrelated pictures."""
    hashes = [perceptual_hash(each.marked)[0] for each in released[::3]]
    apart = np.array([distance(a, b) / 256 for n, a in enumerate(hashes) for b in hashes[:n]])
    p, spread = float(apart.mean()), float(apart.var())
    print(
        f"\nhash distance of unrelated pictures: mean {256 * p:.1f}, worth {p * (1 - p) / spread:.0f} independent bits"
    )


def index_of_a_million(count: int, queries: int) -> None:
    """Time of one query's searches among synthetic hashes and codes; the process's threads as OpenCV takes them."""
    chance = np.random.default_rng(1)
    index = Index()
    began = time.perf_counter()
    step = 100_000
    for start in range(0, count, step):
        rows = min(step, count - start)
        index.add_rows(
            chance.integers(0, 256, (rows, HASH_BYTES), np.uint8),
            chance.integers(0, 256, (rows * len(CROPS), HASH_BYTES), np.uint8),
            chance.integers(0, 1 << 63, rows * CODES_KEPT, np.uint64),
            np.repeat(np.arange(rows), CODES_KEPT),
        )
    print(f"\n{count:,} synthetic pictures indexed in {time.perf_counter() - began:.0f} s")
    whole, parts, votes = [], [], []
    for n in range(queries):
        image = scene(FOREIGN_SEED + n)
        hashes = list(turned_hashes(image)) * 2  # a whole picture and its largest region
        projected = projections(features(image).descriptors[:400])
        asked = time.perf_counter()
        index.nearest(hashes, most=12)
        looked = time.perf_counter()
        index.nearest_crops(hashes[:2], most=4)
        cut = time.perf_counter()
        index.voted(np.vstack([projected, projected]), most=24)
        ended = time.perf_counter()
        whole.append(looked - asked)
        parts.append(cut - looked)
        votes.append(ended - cut)
    every = [sum(each) for each in zip(whole, parts, votes, strict=True)]
    for name, taken in (("16 hashes", whole), ("2 hashes among crops", parts), ("800 codes", votes), ("all", every)):
        print(f"  {name:22} median {1e3 * float(np.median(taken)):6.0f} ms, worst {1e3 * max(taken):6.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--foreign", type=int, default=1_000)
    parser.add_argument("--attacks", default=",".join(ATTACKS))
    parser.add_argument("--indexed", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["attacks", "foreign", "index"])
    parser.add_argument("--work", type=Path, default=Path("out/identify"))
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    names = [name.strip() for name in asked.attacks.split(",")]
    if asked.only != "index":
        kept = Kept(asked.work / f"results-{asked.images}.jsonl")
        released = release(list(pictures(asked.images, asked.work)))
        shelf = Shelf(released)
        few = sum(len(Original.of(each.marked).features) < 24 for each in released)
        print(f"{len(released)} pictures, {few} with too few features to be found in a crop", flush=True)
        if asked.only != "foreign":
            for name in names:
                for number, each in enumerate(released):
                    kept.of("attacked", each.name, name, lambda n=number, e=each, a=name: attacked(n, e, a, shelf))
                print(f"  {name}", flush=True)
            show_attacks(kept, names)
        if asked.only != "attacks":
            for name, image in foreign_pictures(asked.foreign, asked.images, asked.work):
                kept.of("foreign", name, "none", lambda i=image: foreign(i, shelf))
            show_foreign(kept)
        show_freedom(released)
    if asked.only in (None, "index"):
        index_of_a_million(asked.indexed, queries=40)


if __name__ == "__main__":
    main()
