"""Reuse foreseen: which images of a checked request are there already, and why the others are drawn. Stores nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection

from api.schemas.submission import ChangedRowReply, SubmissionReply
from workers.cost.forecast import Work
from workers.jobs.control.reuse import find
from workers.jobs.types import NewItem, NewRequest

_LISTED = 100  # rows; a longer list helps nobody
_CHUNK = 1000  # rows a question
_UNTOLD = frozenset({"new", "off"})  # say nothing of an earlier picture


class ForeseenReuse:
    """What would be reused of the items that were looked at. Each is asked for once, in order."""

    def __init__(self, conn: Connection, request: NewRequest) -> None:
        self._conn, self._request = conn, request
        self._reused, self._reencoded = Counter[str](), Counter[str]()  # by work
        self._drawn: list[ChangedRowReply] = []

    def look(self, new_items: Iterable[NewItem]) -> None:
        stream = iter(new_items)
        while chunk := list(islice(stream, _CHUNK)):
            found, drawings, why = find(self._conn, self._request, chunk)
            self._reused.update(chunk[n].recipe.work_id for n in found)
            self._reencoded.update(chunk[n].recipe.work_id for n in drawings)
            told = (n for n in sorted(why) if why[n] not in _UNTOLD)
            self._drawn += [_changed(chunk[n], why[n]) for n in islice(told, _LISTED - len(self._drawn))]

    def works(self, works: Sequence[Work]) -> tuple[Work, ...]:
        """The work without what is reused or made of a kept drawing."""
        reused, left = self._reused + self._reencoded, []
        for work in works:  # of two queues with the same work, the first gives what it has
            taken = min(work.images, reused[work.work_id])
            reused[work.work_id] -= taken
            left.append(work._replace(images=work.images - taken))
        return tuple(work for work in left if work.images)

    def reported(self, report: SubmissionReply) -> SubmissionReply:
        changed = report.changed or self._drawn
        taken = {"reused_items": self._reused.total(), "reencoded_items": self._reencoded.total()}
        return report.model_copy(update={**taken, "changed": changed})


def _changed(item: NewItem, reason: str) -> ChangedRowReply:
    return ChangedRowReply(row=item.row, custom_id=item.custom_id, variant=item.variant, reason=reason)
