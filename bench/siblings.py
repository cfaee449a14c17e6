"""Sibling benchmark: pictures that resemble ours and are not ours, unmarked or with a code that was moved.

python -m bench.siblings                        56 released pictures, 1,000 siblings, 358 transplants: an hour
python -m bench.siblings --siblings 40 --transplants 36
python -m bench.siblings --half held-out        only those by which no threshold was chosen
python -m bench.siblings --tables               what there is so far
python -m bench.siblings --quick                two of each kind: two minutes

No sibling is ours, and no transplant is: an answer `ours` and a verified one are wrong, and so is any claim of a
sibling. Siblings fall into two halves by the digest of their name; thresholds are chosen by the half called tuning.
Transplants are made of released pictures and siblings by which nothing was chosen.
Drawings and results are kept in --work, and a run that was stopped goes on; results of other code are not counted.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.identify import asked_of
from bench.pictures.gallery import Released, Shelf
from bench.pictures.siblings import KINDS, SERIES, Sibling, draw_all, is_drawn, siblings, source
from bench.pictures.transplants import HARDER, TRANSPLANTS, Transplant
from bench.result import Ratio, parser, report
from bench.tables.kept import Results, code_digest, is_held_out
from policy.fingerprints import Image
from policy.identify.answer import Identification
from policy.marks import watermark

FULL, QUICK = {"siblings": 1_000, "transplants": 204, "harder": 154}, {"siblings": 14, "transplants": 6, "harder": 11}
_MOVED = {**TRANSPLANTS, **HARDER}
_HOSTS = ("another seed", "another guidance, same seed")  # the second differ from ours the least
_CLAIMS = ("ours", "ours_altered")
_CHANCES = (0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-6)

Job = Callable[[], dict[str, Any]]


def main() -> None:
    asked = _arguments()
    cv2.setNumThreads(1)
    asked.work.mkdir(parents=True, exist_ok=True)
    share = asked.siblings / sum(KINDS.values())
    wanted = siblings({kind: max(1, round(share * count)) for kind, count in KINDS.items()})
    moved = [*_transplants(TRANSPLANTS, asked.transplants), *_transplants(HARDER, asked.harder)]
    if not asked.tables:
        draw_all([*wanted, *(each for _, each in moved)], asked.work)
    ours = _released(asked.work)
    shelf = Shelf([each for each, _ in ours])
    results = Results(None if asked.quick else asked.work, "siblings")
    jobs: dict[str, Job] = {each.name: partial(_sibling, each, shelf, asked.work) for each in wanted}
    jobs |= {f"{kind}: {each.name}": partial(_moved, kind, each, ours, shelf, asked.work) for kind, each in moved}
    asked_for = [name for name in jobs if asked.half == "all" or _is_held_out(name) == (asked.half == "held-out")]
    order = np.random.default_rng(5).permutation(asked_for)  # what a run that was stopped leaves is a fair sample
    wanted_now = {str(name): jobs[str(name)] for name in order if not asked.tables or str(name) in results.rows}
    _show(results.make(wanted_now), asked.json)


def _released(work: Path) -> list[tuple[Released, Image]]:
    """The marked pictures, and their sources."""
    chance, found = np.random.default_rng(3), []
    for place in range(2 * SERIES):
        image, watermark_id = source(place, work), int(chance.integers(1 << 48))
        marked = watermark.embed(image, watermark_id, watermark.ladder(image)[0])
        found.append((Released(str(place), watermark_id, marked, {}), image))
    return found


def _transplants(kinds: Mapping[str, Transplant], count: int) -> list[tuple[str, Sibling]]:
    """Each kind in turn, with the sibling onto which the code is moved; staged pictures take turns with drawn ones."""
    made = []
    for n in range(count):
        transplant, turn = list(kinds)[n % len(kinds)], n // len(kinds)
        places = [place for place in range(SERIES, 2 * SERIES) if is_drawn(place) or "ground" not in transplant]
        place, number = places[5 * turn % len(places)], turn // len(places)  # a staged scene has no plain ground
        host = _HOSTS[turn % 2] if is_drawn(place) else "another object in the scene"
        made.append((transplant, Sibling(host, place, number + turn % 3, "none")))
    return made


def _sibling(each: Sibling, shelf: Shelf, work: Path) -> dict[str, Any]:
    answer, seconds = asked_of(each.image(work), shelf)
    near = next((seen for seen in answer.candidates if seen.asset.asset_id == str(each.place)), None)
    return {"kind": each.kind, "group": "sibling", "chance": near and near.code_chance, **_facts(answer, seconds)}


def _moved(
    kind: str, each: Sibling, ours: Sequence[tuple[Released, Image]], shelf: Shelf, work: Path
) -> dict[str, Any]:
    released, unmarked = ours[each.place]
    chance = np.random.default_rng((sum(kind.encode()), each.place, each.number))
    image = _MOVED[kind](unmarked, released.marked, each.image(work), released.watermark_id, chance)
    return {"kind": kind, "group": "transplant", "chance": None, **_facts(*asked_of(image, shelf))}


def _facts(answer: Identification, seconds: float) -> dict[str, Any]:
    best = answer.candidates[0] if answer.candidates else None
    return {
        "finding": answer.finding.value,
        "verified": answer.verified,
        "named": answer.asset and answer.asset.asset_id,
        "likeness": best and round(best.likeness, 4),
        "other": best and round(best.agreement.other, 4),
        "seconds": round(seconds, 2),
    }


def _show(rows: Iterable[Mapping[str, Any]], path: Path | None) -> None:
    """The tables and the ratio. Wrong: ours or verified, and of a sibling any claim."""
    made = list(rows)
    print(f"\ncode {code_digest()}")
    for held_out in (False, True):
        half = [row for row in made if _is_held_out(row["name"]) == held_out]
        print(f"\n{'held-out' if held_out else 'tuning'}: {len(half)}")
        for kind in (*KINDS, *_MOVED):
            if found := [row for row in half if row["kind"] == kind]:
                told = Counter(row["finding"] for row in found)
                counts = ", ".join(f"{count} {name}" for name, count in sorted(told.items()))
                print(f"  {kind:38} {len(found):4}: {counts}; {sum(row['verified'] for row in found)} verified")
    wrong = [row for row in made if _is_wrong(row)]
    for row in wrong:
        print(f"  WRONG {row['finding']} {'verified ' if row['verified'] else ''}{row['name']} {row['other']}")
    _show_chances([row["chance"] for row in made if row["chance"] is not None])
    print(f"\n{len(wrong)} of {len(made)} called ours or verified, or a sibling claimed as altered")
    median = float(np.median([row["seconds"] for row in made]))
    print(f"processor time of a question: median {median:.2f} s")
    report(
        [Ratio("pictures that are not ours and are not called so, over all", 1 - len(wrong) / len(made), 1.0001)], path
    )


def _is_held_out(name: str) -> bool:
    """Whether nothing was chosen by it: by no transplant of these."""
    return name.partition(": ")[0] in _MOVED or is_held_out(name)


def _is_wrong(row: Mapping[str, Any]) -> bool:
    claimed = row["finding"] in _CLAIMS if row["group"] == "sibling" else row["finding"] == "ours"
    return bool(claimed or row["verified"])


def _show_chances(chances: Sequence[float]) -> None:
    """Of siblings without the code, how many come as near to it as is said of so many."""
    print(f"\nsaid that of pictures without the code so many come as near; of {len(chances)} siblings so many did")
    for least in _CHANCES:
        print(f"  {least:10.4%}  {np.mean([chance <= least for chance in chances]) if chances else 0:8.4%}")


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--siblings", type=int)
    options.add_argument("--transplants", type=int)
    options.add_argument("--harder", type=int, help="transplants of further kinds")
    options.add_argument("--half", choices=["all", "tuning", "held-out"], default="all")
    options.add_argument("--tables", action="store_true", help="only what there is so far")
    options.add_argument("--work", type=Path, default=Path("out/siblings"), help="where drawings and results are kept")
    asked = options.parse_args()
    for name, value in (QUICK if asked.quick else FULL).items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    return asked


if __name__ == "__main__":
    main()
