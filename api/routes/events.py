"""/v1/audit/events: a tenant's part of the ledger, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.edge.auth import Auditor
from api.edge.dependencies import PartsOf
from api.edge.in_turn import InTurn
from api.edge.problems import Complaint, Problem
from api.schemas.events import EventsQuery
from policy.errors import ExportUnavailable
from policy.ledger.reading.events import Recorded
from policy.ledger.reading.exports import csv_rows, jsonl
from policy.ledger.reading.parquet import parquet
from policy.ledger.reading.stream import EntryFilter, entries_in

router = APIRouter(route_class=InTurn, prefix="/v1")
_WRITERS = {
    "jsonl": (jsonl, "application/jsonl"),
    "csv": (csv_rows, "text/csv; charset=utf-8"),
    "parquet": (parquet, "application/vnd.apache.parquet"),
}
_CONTENT = {media_type.partition(";")[0]: {"schema": {"type": "string"}} for _, media_type in _WRITERS.values()}


@router.get(
    "/audit/events",
    tags=["Audit"],
    summary="Your tenant's events, as JSON lines, CSV or Parquet",
    response_class=StreamingResponse,
    responses={200: {"content": _CONTENT, "description": "One event a line, oldest first"}},
)
def export(caller: Auditor, parts: PartsOf, query: Annotated[EventsQuery, Query()]) -> StreamingResponse:
    """Streamed in order of time, however many there are; an answer that breaks off was not complete.

    An event still being committed may be missing from its place: end `to` a minute ago where that matters.
    In CSV, a cell that a spreadsheet program would take for a formula begins with an apostrophe.
    """
    if parts.auditor is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_AUDITOR_DATABASE_URL for the API process.")
    if query.since and query.until and query.since >= query.until:
        complaint = Complaint("invalid", "'to' is not after 'from'", "Give a later 'to'.", field="query.to")
        raise Problem("invalid_parameters", "query.to: it is not after 'from'.", errors=[complaint])
    span = EntryFilter(query.since, query.until, caller.tenant, query.kind)
    write, media_type = _WRITERS[query.format]
    attachment = {"Content-Disposition": f'attachment; filename="events.{query.format}"'}
    pages = _begun(entries_in(parts.auditor.begin, span))
    try:
        written = write(pages)
    except ExportUnavailable as error:
        raise Problem("export_not_installed", f"{error}, where the API runs.") from error
    return StreamingResponse(written, media_type=media_type, headers=attachment)


def _begun(pages: Iterator[list[Recorded]]) -> Iterator[list[Recorded]]:
    """The same pages, the first of them read: a database that is away is a problem, not an empty answer."""
    first = next(pages, None)
    return chain(() if first is None else (first,), pages)
