"""Sample of a pilot: which images of a campaign are made first, found in one pass over its rows.

Rows are told apart by their cells in the columns that are named: those alike are a stratum. Each stratum gives its
share of the images asked for, rounded up. So none goes unseen, none is looked at less than its size asks, and what the
sample proves holds for the campaign. Inside a stratum chance decides, over different rows as long as there are any.
Rows that policy refuses are never made, and so never sampled.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from api.edge.problems import Complaint, did_you_mean, quoted
from api.schemas.pilots import PilotBody, PilotPlanReply
from api.submission.checked import CheckedRow
from policy.verdict import Decision
from workers.jobs.control.binomial import share_at_most, statement
from workers.jobs.types import NewItem, NewPilot
from workers.sheets.names import clean_name

_chance = random.SystemRandom()  # nobody who writes the rows knows which are looked at


class _Candidate(NamedTuple):
    """An image that may be sampled. The greatest come first: those of a row that has given the fewest."""

    order: tuple[int, float]
    row: int
    variant: int


@dataclass(frozen=True, slots=True)
class PilotPlan:
    """The pilot, and its images by row and variant."""

    pilot: NewPilot
    columns: Sequence[str]
    sampled: frozenset[tuple[int, int]]

    def reply(self) -> PilotPlanReply:
        pilot = self.pilot
        return PilotPlanReply(
            images=pilot.images,
            sampled=pilot.sampled,
            strata=pilot.strata,
            max_rejected=pilot.max_rejected,
            stratify_by=list(self.columns),
            four_eyes=pilot.four_eyes,
            share_at_most=round(share_at_most(pilot.images, pilot.max_rejected), 4),
            proves=f"Accepted with {pilot.max_rejected} rejected: {statement(pilot.images, pilot.max_rejected)}",
        )


class PilotSample:
    """Grows row by row; memory is bounded by strata x images."""

    def __init__(self, asked: PilotBody, columns: Sequence[str]) -> None:
        self._asked = asked
        names = [clean_name(name) for name in asked.stratify_by]
        self.complaints = [_unknown(name, columns) for name in names if name not in columns]
        self._places = tuple(columns.index(name) for name in dict.fromkeys(names) if name in columns)
        self._strata: dict[tuple[str, ...], list[_Candidate]] = {}
        self._sizes: dict[tuple[str, ...], int] = {}
        self._made = 0

    def add(self, row: CheckedRow) -> None:
        """Take a row into account. At most `images` candidates of a stratum are kept."""
        if row.texts.verdict.decision is Decision.REFUSE:
            return
        stratum = tuple(row.carried[place].strip() for place in self._places)
        self._made += row.own.variants
        if stratum not in self._sizes and len(self._sizes) > self._asked.images:
            return  # too many already: complained of at the end
        self._sizes[stratum] = self._sizes.get(stratum, 0) + row.own.variants
        kept = self._strata.setdefault(stratum, [])
        order = list(range(row.own.variants))
        _chance.shuffle(order)
        for rank, variant in enumerate(order):
            candidate = _Candidate((-rank, _chance.random()), row.number, variant)
            if len(kept) < self._asked.images:
                heapq.heappush(kept, candidate)
            elif candidate > kept[0]:
                heapq.heapreplace(kept, candidate)
            else:
                break

    def too_many_strata(self) -> list[Complaint]:
        """Once all rows are added: what stands against a sample that shows every stratum."""
        if len(self._sizes) <= self._asked.images:
            return []
        named = ", ".join(self._asked.stratify_by)
        message = f"the rows have more than {self._asked.images} different values in {named}"
        remedy = "A pilot shows each of them. Name columns with fewer, or ask for more images."
        return [Complaint("pilot_strata", message, remedy, field="pilot.stratify_by")]

    def plan(self) -> PilotPlan | None:
        """None where the sample would hold every image: nothing is left to wait."""
        images = self._asked.images
        chosen: set[tuple[int, int]] = set()
        for stratum, size in self._sizes.items():
            share = min(size, -(-images * size // self._made))
            taken = heapq.nlargest(share, self._strata[stratum])
            chosen |= {(candidate.row, candidate.variant) for candidate in taken}
        if len(chosen) >= self._made:
            return None
        pilot = NewPilot(
            images=images,
            max_rejected=self._asked.max_rejected,
            sampled=len(chosen),
            strata=len(self._sizes),
            stratify_by=self._places,
            four_eyes=self._asked.four_eyes,
        )
        return PilotPlan(pilot, self._asked.stratify_by, frozenset(chosen))


def sampled_by(asked: PilotBody | None) -> list[str]:
    """The columns that the sample follows."""
    return [clean_name(name) for name in asked.stratify_by] if asked else []


def marked(items: Iterable[NewItem], sampled: Set[tuple[int, int]]) -> Iterator[NewItem]:
    """The items, those of the sample marked as such."""
    for item in items:
        yield replace(item, sample=True) if (item.row, item.variant) in sampled else item


def _unknown(name: str, columns: Sequence[str]) -> Complaint:
    message = f"there is no column {quoted(name)}.{did_you_mean(name, columns)}"
    return Complaint("unknown_column", message, "Name columns of the file.", field="pilot.stratify_by")
