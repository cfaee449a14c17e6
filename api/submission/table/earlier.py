"""Rows that were sent before: told in a warning, and left to their earlier request where the spec says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection

from api.schemas.requests import CampaignBody
from api.schemas.submission import ChangedRowReply, KeptRowReply, SubmissionReply, WarningReply
from policy.verdict import Decision
from workers.jobs.earlier import KEEPABLE, EarlierItem, comparable, sent_before
from workers.jobs.types import NewItem, NewRequest
from workers.states import ItemState

_LISTED = 100  # rows; a longer list helps nobody
_CHUNK = 1000  # rows a question
_DIFFERENCES = {
    "prompt": "prompt",
    "negative_prompt": "negative prompt",
    "options": "model, size or options",
    "seed": "seed",
    "renditions": "files",
}


class _Known(NamedTuple):
    item: NewItem
    earlier: EarlierItem | None


class EarlierRows:
    """What a campaign has in common with its tenant's last ones. Each item is asked for once, in order."""

    def __init__(self, conn: Connection, request: NewRequest, asked: CampaignBody) -> None:
        self._conn, self._tenant = conn, request.tenant
        self._keeps = asked.keeps
        self._requests = comparable(conn, request, same_files=self._keeps)
        self._same, self._changed = Counter[str](), Counter[str]()
        self._kept: list[KeptRowReply] = []
        self._made: list[ChangedRowReply] = []
        self._items = self._kept_items = 0

    def to_make(self, new_items: Iterable[NewItem]) -> Iterator[NewItem]:
        """The items that are to be stored: all of them, or those that differ from what was sent before."""
        if not self._requests and not self._keeps:
            yield from new_items
            return
        for item, earlier in self._known(new_items):
            self._items += 1
            same = earlier is not None and not earlier.differs
            if same and earlier is not None:
                self._same[earlier.request_id] += 1
            elif earlier is not None:
                self._changed[earlier.differs] += 1
            if not self._keeps:
                differs = _difference(earlier) if earlier else ""
                yield replace(item, differs=differs) if differs else item
            elif same and earlier is not None and _keepable(item, earlier):
                self._keep(item, earlier)
            else:
                self._list(item, earlier)
                yield item

    def reported(self, report: SubmissionReply) -> SubmissionReply:
        """The report with what is kept, and with a warning where rows were sent before. Asked after `to_make`."""
        warnings = [*report.warnings, *self._warnings()]
        return report.model_copy(
            update={
                "items": report.items - self._kept_items,
                "warnings": warnings,
                "kept_items": self._kept_items,
                "kept": self._kept,
                "changed": self._made,
            }
        )

    def _known(self, new_items: Iterable[NewItem]) -> Iterator[_Known]:
        stream = iter(new_items)
        while chunk := list(islice(stream, _CHUNK)):
            found = sent_before(self._conn, self._tenant, self._requests, chunk) if self._requests else {}
            yield from (_Known(item, found.get(n)) for n, item in enumerate(chunk))

    def _keep(self, item: NewItem, earlier: EarlierItem) -> None:
        self._kept_items += 1
        if len(self._kept) < _LISTED:
            self._kept.append(
                KeptRowReply(
                    row=item.row,
                    custom_id=item.custom_id,
                    variant=item.variant,
                    state=earlier.state,
                    request_id=earlier.request_id,
                    asset_id=earlier.asset_id,
                )
            )

    def _list(self, item: NewItem, earlier: EarlierItem | None) -> None:
        if len(self._made) < _LISTED:
            reason = "new" if earlier is None else earlier.differs or earlier.state.value
            self._made.append(
                ChangedRowReply(row=item.row, custom_id=item.custom_id, variant=item.variant, reason=reason)
            )

    def _warnings(self) -> Iterator[WarningReply]:
        same = self._same.total()
        if not same or self._keeps:
            return
        request, _ = self._same.most_common(1)[0]
        counted = f"{same:,} of {self._items:,}" if same < self._items else f"all {self._items:,}"
        message = f"{counted} images were asked for before in request {request}"
        if self._changed:
            said = ", ".join(f"{count:,} differ in {_DIFFERENCES[name]}" for name, count in self._changed.most_common())
            message += f"; {said}"
        message += (
            ". They are the same pictures again, and what is released is reused. Send"
            ' "unchanged": "keep" to store only what differs, or a `seed` for other pictures'
        )
        yield WarningReply(code="sent_before", message=message, count=same)


def _difference(earlier: EarlierItem) -> str:
    """What differs; where nothing does, what became of the earlier item, "" where it was released."""
    return earlier.differs or ("" if earlier.state is ItemState.RELEASED else earlier.state.value)


def _keepable(item: NewItem, earlier: EarlierItem) -> bool:
    """A row whose prompt a rule refuses or holds today is not left to what an older rule set allowed."""
    if item.verdict.decision in (Decision.REFUSE, Decision.HOLD):
        return False
    released = earlier.state is ItemState.RELEASED
    return earlier.state in KEEPABLE and (not released or earlier.asset_id is not None)
