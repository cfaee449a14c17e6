"""Results of a benchmark: its ratios, printed for people and written as JSON for bench.all.

Every program of bench/ takes the same two options: `--quick` makes the same comparison on less, and `--json FILE` says
where the ratios go. A ratio is what we do over what stands beside it in the same run, so that a slow or busy machine
moves both. It is turned so that more is better, whatever it counts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

TOLERANCE = 1.5  # two quick runs on one machine differ by up to 1.3 with services beside them


@dataclass(frozen=True, slots=True)
class Ratio:
    """One comparison. A later value below `value / tolerance` counts as a fall."""

    name: str
    value: float
    tolerance: float = TOLERANCE


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every program has; a program adds its own."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="the same comparison on less, for bench.all")
    made.add_argument("--json", type=Path, help="write the ratios there")
    return made


def report(ratios: Iterable[Ratio], path: Path | None) -> None:
    """Print the ratios, and write them where `path` says. Last act of a program: no file means it did not finish."""
    made = list(ratios)
    print()
    for each in made:
        print(f"ratio  {each.name:62} {each.value:10.4g}", flush=True)
    if path is not None:
        path.write_text(json.dumps([asdict(each) for each in made], indent=1) + "\n", "utf-8")


def read(path: Path) -> list[Ratio]:
    """What `report` wrote. Raises ValueError for anything else: not JSON, another shape, not a positive number."""
    try:
        made = [Ratio(**each) for each in json.loads(path.read_text("utf-8"))]
    except (OSError, TypeError) as error:
        raise ValueError(f"no ratios: {error}") from error
    if not made:
        raise ValueError("no ratios: the list is empty")
    for each in made:
        if not 0 < each.value < float("inf"):
            raise ValueError(f"{each.name} is {each.value}, which is no ratio")
    return made
