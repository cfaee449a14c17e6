"""Pictures that came out wrong are drawn again within their claim, with a seed that follows from the last one.

The rule set says what for and how often, three times at most. Every discarded drawing is an event of its own when
the batch is settled, with its seed and its verdict; the item's events carry the seed that its picture was drawn with.
A drawing again is sampling: under the GPU lock, the lease is renewed meanwhile, and what was cancelled is left out.

Killed at any line: nothing was written. The next attempt draws the first seed first, and comes to the same seeds.
A drawing that kills the process is met again by the next attempt, which the reconciler splits and fails alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from policy.rulebook.regeneration import Redraw
from policy.verdict import Verdict
from workers import metrics
from workers.jobs.types import Claim, ClaimedItem, Discarded
from workers.sampling.types import BLACK, NOT_FINITE, Sampled


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim's pictures and what policy says of them, in item order."""

    held: Claim
    sampled: Sampled
    verdicts: tuple[Verdict, ...]


def redrawn(
    shown: Shown, redraw: Redraw, cancelled: Callable[[], Collection[str]], again: Callable[[Claim], Shown]
) -> Shown:
    """The same items, those that came out wrong drawn `again`. Raises what that raises: the batch is given back."""
    for _ in range(redraw.times):
        gone = cancelled()
        wrong = [n for n, item in enumerate(shown.held.items) if item.id not in gone and _is_wrong(shown, n, redraw)]
        if not wrong:
            break
        metrics.REDRAWN_IMAGES.inc(len(wrong))
        items = tuple(_reseeded(shown, n) for n in wrong)
        shown = _with(shown, wrong, again(replace(shown.held, items=items)))
    return shown


def next_seed(seed: int) -> int:
    """32 bits that are a function of the seed alone: another attempt draws the same pictures again."""
    return int.from_bytes(hashlib.sha256(f"{seed}\nredrawn".encode()).digest()[:4])


def _is_wrong(shown: Shown, n: int, redraw: Redraw) -> bool:
    fault = shown.sampled.faults.get(shown.held.items[n].id)
    if fault is not None:
        return redraw.faults and fault in (NOT_FINITE, BLACK)
    return redraw.wants(shown.verdicts[n])


def _reseeded(shown: Shown, n: int) -> ClaimedItem:
    item, fault = shown.held.items[n], shown.sampled.faults.get(shown.held.items[n].id)
    discarded = Discarded(item.seed, None if fault else shown.verdicts[n], fault)
    return replace(item, seed=next_seed(item.seed), discarded=(*item.discarded, discarded))


def _with(shown: Shown, places: list[int], fresh: Shown) -> Shown:
    """`shown` with these items as they came out afresh; one that was cancelled meanwhile has that fault."""
    items, verdicts, where = list(shown.held.items), list(shown.verdicts), list(shown.sampled.positions)
    images = np.array(shown.sampled.images)
    faults = dict(shown.sampled.faults)
    for k, n in enumerate(places):
        items[n], verdicts[n], where[n] = fresh.held.items[k], fresh.verdicts[k], fresh.sampled.positions[k]
        images[n] = fresh.sampled.images[k]
        faults.pop(items[n].id, None)
    faults |= fresh.sampled.faults
    seconds = shown.sampled.seconds + fresh.sampled.seconds
    sampled = Sampled(images, faults, tuple(where), seconds)
    return Shown(replace(shown.held, items=tuple(items)), sampled, tuple(verdicts))
