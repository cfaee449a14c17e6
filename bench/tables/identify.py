"""Tables of bench.identify, from the results that it keeps."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.pictures import library
from bench.result import Ratio

FOUND = ("ours", "ours_altered", "shares_content")  # the asset is named; only the first two claim it
_HARDEST = 21
_UNSHOWN = ("plain", "seconds")


class Kept:
    """Results by (kind, picture, attack), in a file that grows; those of other parts are read beside it."""

    def __init__(self, folder: Path, images: int, part: str) -> None:
        self._path = folder / f"results-{images}-{part.replace('/', 'of')}.jsonl"
        self.rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for path in folder.glob(f"results-{images}-*.jsonl"):
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


def show_attacks(kept: Kept, names: Sequence[str]) -> list[Ratio]:
    """The table; and found, verified and blind reads as ratios."""
    print(
        "\nPer cent of copies. found: named, and the right one. wrong: another one named. blind: exact read by itself."
    )
    print(
        f"{'attack':24} {'copies':>6} {'found':>6} {'verif.':>6} {'wrong':>6} {'confl.':>6} {'blind':>6}",
        *(f"{method:>9}" for method in library.METHODS),
        "  s",
    )
    total: dict[str, list[float]] = defaultdict(list)
    found_by: dict[str, list[bool]] = {}
    verified_by: dict[str, list[bool]] = {}
    read_blind: dict[str, float] = {}
    for name in names:
        rows = [row for (kind, _, attack), row in kept.rows.items() if kind == "attacked" and attack == name]
        if not rows:
            continue
        ours = [row["finding"] in FOUND for row in rows]
        columns = {
            "found": [own and row["right"] for own, row in zip(ours, rows, strict=True)],
            "verified": [row["verified"] and row["right"] for row in rows],
            "wrong": [own and not row["right"] for own, row in zip(ours, rows, strict=True)],
            "conflicting": [row["finding"] == "conflicting" for row in rows],
            "blind": [row["blind"] for row in rows],
            **{method: [row[method] for row in rows if method in row] for method in library.METHODS},
            "plain": [row["plain"] for row in rows],
            "seconds": [row["seconds"] for row in rows],
        }
        for column, values in columns.items():
            total[column] += values
        found_by[name], verified_by[name] = columns["found"], columns["verified"]
        read_blind[name] = float(np.mean(columns["blind"]))
        _row(name, len(rows), columns)
    if not total:
        return []
    _row("all", len(total["found"]), total)
    _share("found", total["found"])
    rich = [found for found, plain in zip(total["found"], total["plain"], strict=True) if not plain]
    _share("found of pictures with features enough", rich)
    hardest = sorted(read_blind, key=lambda name: read_blind[name])[:_HARDEST]
    _share(f"found of the {len(hardest)} attacks that leave fewest blind reads", _of(hardest, found_by))
    _share("verified of the same", _of(hardest, verified_by))
    blind, theirs = (100 * float(np.mean(total[name])) for name in ("blind", "dwtDctSvd"))
    print(f"blind reads over the library's dwtDctSvd: {blind / max(theirs, 0.1):.2f}")
    return [
        Ratio("copies found over copies made", float(np.mean(total["found"])), 1.03),
        Ratio("copies verified by the code over copies made", float(np.mean(total["verified"])), 1.1),
        Ratio("blind exact reads over the library's dwtDctSvd", blind / max(theirs, 0.1), 1.2),
    ]


def _of(names: Sequence[str], by_attack: dict[str, list[bool]]) -> list[bool]:
    return [each for name in names for each in by_attack[name]]


def _share(what: str, found: Sequence[float]) -> None:
    low, high = interval(int(sum(found)), len(found))
    print(
        f"{what}: {int(sum(found))} of {len(found)}, {100 * float(np.mean(found)):.2f} %"
        f" ({100 * low:.2f} to {100 * high:.2f} with a confidence of 95 %)"
    )


def interval(successes: int, trials: int) -> tuple[float, float]:
    """Where the true share lies with a confidence of 95 per cent (Wilson, 1927)."""
    z = 1.96
    share, wide = successes / trials, z * z / trials
    half = z * float(np.sqrt(share * (1 - share) / trials + wide / (4 * trials)))
    return (share + wide / 2 - half) / (1 + wide), (share + wide / 2 + half) / (1 + wide)


def show_misses(kept: Kept) -> None:
    """Every copy that was not found, and what was said of it."""
    for (kind, picture, attack), row in kept.rows.items():
        if kind == "attacked" and not (row["finding"] in FOUND and row["right"]):
            print(f"   {attack:24} {picture:36} {row['finding']}{', another one' if row['finding'] in FOUND else ''}")


def _row(name: str, count: int, columns: dict[str, list[Any]]) -> None:
    shown = [f"{_per_cent(values):6.1f}" for column, values in columns.items() if column not in _UNSHOWN]
    print(f"{name:24} {count:6}", *shown, f"{float(np.median(columns['seconds'])):5.2f}", flush=True)


def _per_cent(values: list[Any]) -> float:
    return 100 * float(np.mean(values)) if values else float("nan")


def show_foreign(kept: Kept) -> list[Ratio]:
    """What was said of foreign pictures; and, as a ratio, how many were answered right."""
    rows = [row for (kind, _, _), row in kept.rows.items() if kind == "foreign"]
    wrong = [row for row in rows if row["finding"] != "not_found"]
    print(f"\n{len(rows)} foreign pictures: {len(wrong)} not answered 'not found'")
    for row in wrong:
        print("  ", row)
    if rows:
        near = sorted((row["likeness"], row["detail"]) for row in rows)[-3:]
        print("   the most alike (whole, detail):", ", ".join(f"{whole:.2f}, {fine:.2f}" for whole, fine in near))
        return [Ratio("foreign pictures answered right over all", 1 - len(wrong) / len(rows), 1.01)]
    return []
