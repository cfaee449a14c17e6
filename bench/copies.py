"""Copy benchmark: genuine pictures of ours as the world copies them, 67 ways in three groups.

python -m bench.copies                     48 released pictures, every way, about 3,000 copies: an hour
python -m bench.copies --share 0.2         a fifth of the copies, drawn by chance
python -m bench.copies --half tuning       only ways and pictures by which thresholds may be chosen
python -m bench.copies --tables            what there is so far
python -m bench.copies --quick             a few: a minute

Every copy is ours. Found: the right asset is named; claimed: by a code; verified: besides nothing in its frame shows
something else. Conflicting and another asset are wrong. Ways and pictures fall into halves by the digest of their name;
the held-out half is looked at in the table only. Other drawings of the same prompts are released too, so that there is
a wrong asset to name. Results are kept in --work under the digest of the code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.identify import asked_of
from bench.pictures.artworks import artwork
from bench.pictures.copies.listed import COPIES, GROUPS, NEEDS_OBJECT
from bench.pictures.drawings import enlarged_of
from bench.pictures.gallery import Released, Shelf
from bench.pictures.scenes import scene
from bench.pictures.siblings import PROMPTS, drawing_of, staged
from bench.result import Ratio, parser, report
from bench.tables.identify import FOUND
from bench.tables.kept import Results, code_digest, is_held_out
from policy.marks import watermark

_CLAIMED = ("ours", "ours_altered")
_BESIDE = 2  # other drawings of a released prompt
FULL = {"drawn": PROMPTS, "scene": 12, "artwork": 12, "staged": 10}
QUICK = {"drawn": 2, "scene": 1, "artwork": 1, "staged": 1}
_QUICK_SHARE = 0.08


def main() -> None:
    asked = _arguments()
    cv2.setNumThreads(1)
    asked.work.mkdir(parents=True, exist_ok=True)
    ours = _released(asked.work, QUICK if asked.quick else FULL)
    shelf = Shelf(ours)
    jobs: dict[str, Callable[[], dict[str, Any]]] = {}
    for number, each in enumerate(ours):
        if each.name.startswith("beside"):
            continue
        for way in COPIES:
            halves = {is_held_out(each.name), is_held_out(way)}
            wanted = asked.half == "all" or halves == {asked.half == "held-out"}
            if wanted and (way not in NEEDS_OBJECT or each.name.startswith("drawn")) and asked.only in way:
                jobs[f"{way}: {each.name}"] = partial(_copied, way, number, each, shelf)
    order = np.random.default_rng(8).permutation(list(jobs))[: max(1, round(asked.share * len(jobs)))]
    results = Results(None if asked.quick else asked.work, "copies")
    wanted_now = {str(name): jobs[str(name)] for name in order if not asked.tables or str(name) in results.rows}
    _show(results.make(wanted_now), asked)


def _released(work: Path, sizes: Mapping[str, int]) -> list[Released]:
    """The marked pictures, and drawings of the same prompts beside them."""
    places = range(sizes["drawn"])
    made = [(f"drawn {n}", image) for n, image in enumerate(enlarged_of([drawing_of(n) for n in places], work))]
    made += [(f"scene {n}", scene(2_000 + n)) for n in range(sizes["scene"])]
    made += [(f"artwork {n}", artwork(2_000 + n)) for n in range(sizes["artwork"])]
    made += [(f"staged {n}", staged(n)) for n in range(sizes["staged"])]
    others = [drawing_of(place)._replace(seed=1 + n) for place in places for n in range(_BESIDE)]
    made += [(f"beside {n}", image) for n, image in enumerate(enlarged_of(others, work))]
    made += [(f"beside staged {n}", staged(n, thing=1)) for n in range(sizes["staged"])]
    chance, found = np.random.default_rng(4), []
    for name, image in made:
        watermark_id = int(chance.integers(1 << 48))
        found.append(Released(name, watermark_id, watermark.embed(image, watermark_id, watermark.ladder(image)[0]), {}))
    return found


def _copied(way: str, number: int, each: Released, shelf: Shelf) -> dict[str, Any]:
    image = COPIES[way](each.marked, np.random.default_rng((number, sum(way.encode()))))
    answer, seconds = asked_of(image, shelf)
    named = [answer.asset and answer.asset.asset_id, *(one.asset.asset_id for one in answer.also)]
    seen = next((one for one in answer.candidates if one.asset.asset_id == str(number)), None)
    return {
        "way": way,
        "picture": each.name,
        "finding": answer.finding.value,
        "right": str(number) in named,
        "verified": answer.verified or any(one.verified for one in answer.also),
        "first": bool(answer.candidates) and answer.candidates[0].asset.asset_id == str(number),
        "seen": seen and [round(seen.likeness, 3), round(seen.detail, 3), round(seen.agreement.same, 3),
                          round(seen.agreement.other, 3), round(seen.common, 3), seen.method, seen.inliers,
                          float(f"{seen.code_chance:.1e}")],
        "seconds": round(seconds, 2),
    }  # fmt: skip


def _show(rows: Iterable[Mapping[str, Any]], asked: argparse.Namespace) -> None:
    made = list(rows)
    print(f"\ncode {code_digest()}. Per cent of copies; * a way of the held-out half")
    print(f"{'':30} {'copies':>6} {'found':>6} {'claim.':>6} {'verif.':>6} {'wrong':>6} {'confl.':>6}  s")
    for group, ways in GROUPS.items():
        for way in ways:
            _row(f"{'*' if is_held_out(way) else ' '} {way}", [row for row in made if row["way"] == way])
        _row(group, [row for row in made if row["way"] in ways])
    if asked.misses:
        for row in made:
            if not _found(row):
                print("  MISSED", row["finding"], row["way"], "|", row["picture"], row["first"], row["seen"])
    print()
    _row("tuning ways and pictures", [row for row in made if _halves(row) == {False}])
    _row("held-out ways and pictures", [row for row in made if _halves(row) == {True}])
    _row("all", made)
    report(
        [
            Ratio("copies found over copies made", _share(made, _found), 1.05),
            Ratio("copies claimed by a code over copies made", _share(made, _is_claimed), 1.2),
            Ratio("copies that nothing wrong is said of over all", 1 - _share(made, _is_wrong), 1.02),
        ],
        asked.json,
    )


def _halves(row: Mapping[str, Any]) -> set[bool]:
    return {is_held_out(row["way"]), is_held_out(row["picture"])}


def _row(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tests = (_found, _is_claimed, _is_verified, _is_other, _is_conflicting)
        shares = " ".join(f"{100 * _share(rows, test):6.1f}" for test in tests)
        print(f"{name:30} {len(rows):6} {shares} {np.median([row['seconds'] for row in rows]):5.2f}")


def _share(rows: Sequence[Mapping[str, Any]], test: Callable[[Mapping[str, Any]], bool]) -> float:
    return float(np.mean([test(row) for row in rows]))


def _found(row: Mapping[str, Any]) -> bool:
    return bool(row["finding"] in FOUND and row["right"])


def _is_claimed(row: Mapping[str, Any]) -> bool:
    return bool(row["finding"] in _CLAIMED and row["right"])


def _is_verified(row: Mapping[str, Any]) -> bool:
    return bool(row["verified"] and row["right"])


def _is_other(row: Mapping[str, Any]) -> bool:
    """Another asset is claimed. Of several that look alike none is named: that is no wrong name."""
    return bool(row["finding"] in _CLAIMED and not row["right"])


def _is_conflicting(row: Mapping[str, Any]) -> bool:
    return bool(row["finding"] == "conflicting")


def _is_wrong(row: Mapping[str, Any]) -> bool:
    return _is_other(row) or _is_conflicting(row)


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--share", type=float, default=0.0, help="of the copies, drawn by chance (1; --quick: 0.08)")
    options.add_argument("--half", choices=["all", "tuning", "held-out"], default="all")
    options.add_argument("--only", default="", help="ways whose name holds this")
    options.add_argument("--tables", action="store_true", help="only what there is so far")
    options.add_argument("--work", type=Path, default=Path("out/siblings"), help="where drawings and results are kept")
    options.add_argument("--misses", action="store_true", help="name every copy that was not found")
    asked = options.parse_args()
    asked.share = asked.share or (_QUICK_SHARE if asked.quick else 1.0)
    return asked


if __name__ == "__main__":
    main()
