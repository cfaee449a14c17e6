"""Regeneration: pictures that came out wrong are sampled again within their claim, from a seed that follows the last.

The rule set says what for and how often, three times at most. Every discarded picture is an event of its own when the
batch is settled, with its seed and its verdict; the item's events carry the seed of the picture that was kept.
It is sampling like any other: under the GPU lock, with the lease renewed, without what was cancelled meanwhile.

Killed at any line: nothing was written. The next attempt begins with the first seed and comes to the same seeds. A
picture that kills the process is met again by the next attempt, which the reconciler splits until it fails alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from policy.rulebook.regeneration import Regeneration
from policy.verdict import Verdict
from workers import metrics
from workers.jobs.types import Claim, ClaimedItem, Discarded
from workers.sampling.types import BLACK, NOT_FINITE, Sampled


@dataclass(frozen=True, slots=True)
class ScreenedBatch:
    """A claim's pictures and what policy says of them, in item order."""

    held: Claim
    sampled: Sampled
    verdicts: tuple[Verdict, ...]


def regenerate(
    batch: ScreenedBatch,
    redraw: Regeneration,
    cancelled: Callable[[], Collection[str]],
    again: Callable[[Claim], ScreenedBatch],
) -> ScreenedBatch:
    """The same items, those that came out wrong sampled `again`. Raises what that raises: the batch is given back."""
    for _ in range(redraw.times):
        gone = cancelled()
        wrong = [
            n for n, item in enumerate(batch.held.items) if item.id not in gone and _came_out_wrong(batch, n, redraw)
        ]
        if not wrong:
            break
        metrics.REDRAWN_IMAGES.inc(len(wrong))
        items = tuple(_reseeded(batch, n) for n in wrong)
        batch = _with(batch, wrong, again(replace(batch.held, items=items)))
    return batch


def next_seed(seed: int) -> int:
    """32 bits that are a function of the seed alone: another attempt comes to the same pictures."""
    return int.from_bytes(hashlib.sha256(f"{seed}\nredrawn".encode()).digest()[:4])


def _came_out_wrong(batch: ScreenedBatch, n: int, redraw: Regeneration) -> bool:
    fault = batch.sampled.faults.get(batch.held.items[n].id)
    if fault is not None:
        return redraw.faults and fault in (NOT_FINITE, BLACK)
    return redraw.wants(batch.verdicts[n])


def _reseeded(batch: ScreenedBatch, n: int) -> ClaimedItem:
    item, fault = batch.held.items[n], batch.sampled.faults.get(batch.held.items[n].id)
    discarded = Discarded(item.seed, None if fault else batch.verdicts[n], fault)
    return replace(item, seed=next_seed(item.seed), discarded=(*item.discarded, discarded))


def _with(batch: ScreenedBatch, numbers: list[int], fresh: ScreenedBatch) -> ScreenedBatch:
    """`batch` with these items as they came out afresh; one that was cancelled meanwhile has that fault."""
    items, verdicts, positions = list(batch.held.items), list(batch.verdicts), list(batch.sampled.positions)
    images = np.array(batch.sampled.images)
    faults = dict(batch.sampled.faults)
    for k, n in enumerate(numbers):
        items[n], verdicts[n], positions[n] = fresh.held.items[k], fresh.verdicts[k], fresh.sampled.positions[k]
        images[n] = fresh.sampled.images[k]
        faults.pop(items[n].id, None)
    faults |= fresh.sampled.faults
    seconds = batch.sampled.seconds + fresh.sampled.seconds
    records = {**batch.sampled.records, **fresh.sampled.records}
    locks = {**batch.sampled.locks, **fresh.sampled.locks}
    products = {**batch.sampled.products, **fresh.sampled.products}
    sampled = Sampled(images, faults, tuple(positions), seconds, records=records, locks=locks, products=products)
    return ScreenedBatch(replace(batch.held, items=tuple(items)), sampled, tuple(verdicts))
