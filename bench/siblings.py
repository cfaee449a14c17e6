"""Sibling benchmark: pictures that one model draws of one prompt, unmarked, worn, or with a code that was moved.

python -m bench.siblings                        14 released pictures, 1,000 siblings, 252 transplants: half an hour
python -m bench.siblings --siblings 40 --transplants 36
python -m bench.siblings --half held-out        only the pictures that no threshold was chosen by
python -m bench.siblings --quick                few of each: a minute

Nothing here is ours, or not all of it is: an answer `ours` and a verified one are wrong. Pictures fall into two halves
by the digest of their name; thresholds are chosen on `tuned`. The drawings of --work are kept and not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.identify import asked_of
from bench.pictures.attacks import ATTACKS
from bench.pictures.gallery import GROUNDS, THINGS, Released, Shelf, drawn_of
from bench.pictures.scenes import scene
from bench.result import Ratio, parser, report
from policy.fingerprints import Image
from policy.identify.answer import Identification
from policy.marks import watermark

FULL, QUICK = {"siblings": 1_000, "transplants": 252}, {"siblings": 14, "transplants": 12}
WEAR = ("none", "jpeg 60", "resize 0.5", "grey", "screenshot", "crop 75%")
_SIDE = 512
_CHANCES = (0.5, 0.1, 0.01, 1e-3, 1e-4)

Transplant = Callable[[Image, Image, Image, int, np.random.Generator], Image]


def _added(source: Image, marked: Image, onto: Image) -> Image:
    """A picture with the difference between a marked one and its source."""
    moved = np.clip(onto.astype(np.int16) + marked.astype(np.int16) - source, 0, 255)
    return np.asarray(moved, np.uint8)


def _rewritten(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    return watermark.embed(sibling, watermark_id, watermark.ladder(sibling)[0])


def _replaced(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """A fourth of ours is a foreign picture's."""
    part, half = marked.copy(), _SIDE // 2
    left, top = (int(each) for each in chance.integers(0, half, 2))
    part[top : top + half, left : left + half] = cv2.resize(scene(int(chance.integers(900, 999))), (half, half))
    return part


def _detailed(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """Ours blurred, with the fine detail of a foreign picture and our code."""
    foreign = cv2.resize(scene(int(chance.integers(900, 999))), (_SIDE, _SIDE)).astype(np.float32)
    fine = foreign - cv2.GaussianBlur(foreign, (0, 0), 8)
    blurred = np.clip(cv2.GaussianBlur(source, (0, 0), 8) + fine, 0, 255).astype(np.uint8)
    return _added(source, marked, blurred)


def _grounded(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """The object of ours on another ground, with our code."""
    edge = np.median(np.vstack([source[0], source[-1], source[:, 0], source[:, -1]]), axis=0)
    apart = cv2.GaussianBlur(np.abs(source.astype(np.float32) - edge).max(axis=2), (0, 0), 2)
    share = np.clip((apart - 12) / 24, 0, 1)[..., None]
    ground = chance.integers(40, 230, 3) + np.linspace(-30, 30, _SIDE)[:, None, None]
    return _added(source, marked, np.clip(source * share + ground * (1 - share), 0, 255).astype(np.uint8))


KINDS: Mapping[str, Transplant] = {
    "code added to a sibling": lambda source, marked, sibling, _, __: _added(source, marked, sibling),
    "the same, then JPEG 60": lambda source, marked, sibling, _, chance: ATTACKS["jpeg 60"](
        _added(source, marked, sibling), chance
    ),
    "code written on a sibling": _rewritten,
    "a fourth replaced": _replaced,
    "fine detail replaced": _detailed,
    "ground replaced": _grounded,
}


def is_held_out(name: str) -> bool:
    """Whether a picture belongs to the half that no threshold is chosen by."""
    return bool(hashlib.sha256(name.encode()).digest()[0] & 1)


class Family:
    """What the model draws of one prompt, by seed, at the size of the sample campaign."""

    def __init__(self, work: Path) -> None:
        self._work = work

    def of(self, place: int, seed: int) -> Image:
        job = THINGS[place % len(THINGS)], GROUNDS[place % len(GROUNDS)], seed
        (small,) = drawn_of([job], self._work)
        return np.asarray(cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def released(family: Family) -> list[tuple[Released, Image]]:
    """A marked picture of every prompt, and its source."""
    chance, found = np.random.default_rng(3), []
    for place, thing in enumerate(THINGS):
        source, watermark_id = family.of(place, 0), int(chance.integers(1 << 48))
        marked = watermark.embed(source, watermark_id, watermark.ladder(source)[0])
        found.append((Released(thing, watermark_id, marked, {}), source))
    return found


def siblings(count: int, half: str) -> Iterator[tuple[int, int, str]]:
    """Prompt, seed and wear of so many unmarked siblings."""
    made = ((n % len(THINGS), 1 + n // len(THINGS) // 2, WEAR[n // len(THINGS) % len(WEAR)]) for n in range(10 * count))
    wanted = (each for each in made if half == "all" or is_held_out(f"{each}") == (half == "held-out"))
    for _ in range(count):
        yield next(wanted)


def main() -> None:
    asked = _arguments()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="presswork-bench-") as fresh:
        asked.work = asked.work or Path(fresh if asked.quick else "out/siblings")
        family = Family(asked.work)
        ours = released(family)
        shelf = Shelf([each for each, _ in ours])
        unmarked, chances = _unmarked(family, shelf, asked)
        moved = _moved(family, ours, shelf, asked)
    _show("unmarked siblings", unmarked)
    for kind, found in moved.items():
        _show(kind, found)
    _show_chances(chances)
    wrong = sum(each["ours"] + each["verified"] for each in (unmarked, *moved.values()))
    every = asked.siblings + asked.transplants
    print(f"\n{wrong} of {every} called ours or verified")
    report([Ratio("pictures that are not ours and are not called so, over all", 1 - wrong / every, 1.0)], asked.json)


def _unmarked(family: Family, shelf: Shelf, asked: argparse.Namespace) -> tuple[Counter[str], list[float]]:
    found, chances = Counter[str](), []
    for place, seed, wear in siblings(asked.siblings, asked.half):
        image = ATTACKS[wear](family.of(place, seed), np.random.default_rng((place, seed)))
        answer, _ = asked_of(image, shelf)
        _count(found, answer)
        chances += [each.code_chance for each in answer.candidates if each.asset.asset_id == str(place)]
    return found, chances


def _moved(
    family: Family, ours: Sequence[tuple[Released, Image]], shelf: Shelf, asked: argparse.Namespace
) -> dict[str, Counter[str]]:
    found = {kind: Counter[str]() for kind in KINDS}
    for number in range(asked.transplants):
        kind = list(KINDS)[number % len(KINDS)]
        place, seed = number // len(KINDS) % len(THINGS), 1 + number // len(KINDS) // len(THINGS)
        each, source = ours[place]
        chance = np.random.default_rng(number)
        image = KINDS[kind](source, each.marked, family.of(place, seed), each.watermark_id, chance)
        _count(found[kind], asked_of(image, shelf)[0])
    return found


def _count(found: Counter[str], answer: Identification) -> None:
    found[answer.finding.value] += 1
    found["verified"] += answer.verified


def _show(what: str, found: Counter[str]) -> None:
    every = sum(found.values()) - found["verified"]
    told = ", ".join(f"{count} {name}" for name, count in sorted(found.items()) if count and name != "verified")
    print(f"{what}: {every}: {told}; {found['verified']} verified", flush=True)


def _show_chances(chances: Sequence[float]) -> None:
    """Of siblings without the code, how many come as near to it as is said of so many."""
    print(f"\nsaid that of pictures without the code so many come as near; of {len(chances)} siblings so many did")
    for least in _CHANCES:
        print(f"  {least:8.4%}  {np.mean([chance <= least for chance in chances]) if chances else 0:8.4%}")


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--siblings", type=int)
    options.add_argument("--transplants", type=int)
    options.add_argument("--half", choices=["all", "tuned", "held-out"], default="all")
    options.add_argument("--work", type=Path, help="where drawings are kept (out/siblings; --quick: nowhere)")
    asked = options.parse_args()
    for name, value in (QUICK if asked.quick else FULL).items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    return asked


if __name__ == "__main__":
    main()
