"""Manifest of a catalogue: what is live, a line for each file, under the names that its channels give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from policy.events import AssetLinked
from policy.ledger.append import append
from workers.delivery.catalogue_lines import BEHIND, COLUMNS, slot_lines
from workers.delivery.file_names import disposition
from workers.jobs.catalogue.views import LiveSlot, live_slots

LINK = ("url", "url_expires_at")


def pages(parts: Parts, caller: Caller, catalogue_id: str, *, links: bool) -> Iterator[list[dict[str, Any]]]:
    """Lines by key and view, page by page. Links are recorded in the ledger before they are given."""

    for found in live_slots(lambda: parts.transaction(caller.tenant), caller.tenant, catalogue_id):
        if links:
            handed = [
                AssetLinked(slot.asset_id, slot.item_id, file.name, caller.key_id, parts.settings.link_seconds)
                for slot in found
                for file in slot.files
            ]
            with parts.transaction(caller.tenant) as conn:
                append(conn, tenant=caller.tenant, actor=caller.actor, events=handed)
        yield [line for slot in found for line in _lines(parts, slot, links=links)]


def names(*, links: bool) -> Sequence[str]:
    """The columns, in order."""
    return (*COLUMNS, *BEHIND, *(LINK if links else ()))


def _lines(parts: Parts, slot: LiveSlot, *, links: bool) -> Iterator[dict[str, Any]]:
    for file, about in slot_lines(slot):
        if links:
            seconds = parts.settings.link_seconds
            ends = datetime.now(UTC) + timedelta(seconds=seconds)
            about["url"] = parts.store.presign(file.key, seconds, disposition(about["file_name"]))
            about["url_expires_at"] = ends.isoformat(timespec="seconds")
        yield about
