"""/v1/requests/{request_id}/results: the caller's own rows, what became of them, and the files under their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from api.edge.auth import Caller, Reader
from api.edge.dependencies import Parts, PartsOf
from api.edge.in_turn import InTurn
from api.edge.middleware.conditional import hands_over
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.results.archive import archive
from api.results.documents import DOCUMENTS
from api.schemas.fields import PathId
from api.schemas.results import ResultsQuery
from policy.errors import ExportUnavailable
from policy.events import AssetDownloaded, AssetLinked
from policy.ledger.append import append
from workers.delivery.file_names import disposition, safe_name
from workers.delivery.lines import ResultLines
from workers.delivery.outcome import OUTCOME_PREFIX
from workers.jobs.results import Result, ResultFilter, bytes_of, results
from workers.jobs.types import StoredRendition
from workers.jobs.views import RequestView, get_request

router = APIRouter(route_class=InTurn, prefix="/v1/requests", tags=["Results"])
_EACH_ROW_ONCE = ("failed", "refused", "cancelled")  # a file that is corrected and sent again
_CONTENT = {
    media_type.partition(";")[0]: {"schema": {"type": "string"}}
    for media_type in (*(media_type for _, media_type in DOCUMENTS.values()), "application/zip")
}
Page = Sequence[tuple[Result, StoredRendition | None, dict[str, Any]]]


@router.get(
    "/{request_id}/results",
    summary="Results of a request, as CSV, JSON lines, Parquet or ZIP",
    response_class=StreamingResponse,
    responses={200: {"content": _CONTENT, "description": "A line for each file, and for each image without files"}},
)
def read(
    request: Request, request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[ResultsQuery, Query()]
) -> StreamingResponse:
    """The columns of your spreadsheet, unchanged and in order, then ours, each with the prefix `presswork_`.

    Streamed in the order of the rows, while the request runs as well as afterwards: what is not made yet says so in
    `presswork_state`. An answer that broke off is taken up with `after`. `only=failed` (or `refused`, `cancelled`)
    gives each row once: correct it and send the same file again, our columns are left out when it is read. In CSV, a
    cell that a spreadsheet program would take for a formula begins with an apostrophe, which is taken off when the
    file is sent again. `zip` has the files under their names, and `manifest.csv` and `manifest.jsonl`.
    """
    request_id = uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        view = get_request(conn, caller.tenant, request_id)
        states = (query.only,) if query.only else ()
        wanted = ResultFilter(request_id, states, query.after or None, tuple(query.channel), query.sample)
        size = bytes_of(conn, caller.tenant, wanted) if query.format == "zip" else 0
    _demand_sense(query, size, parts.settings.max_zip_bytes)
    lines = ResultLines(view.carried_columns, view.file_templates, tuple(dict.fromkeys(query.declare)))
    pages = _begun(_pages(caller, parts, query, wanted, lines, is_seen=hands_over(request)))
    headers = {"Content-Disposition": disposition(_document_name(view, query))}
    if query.format == "zip":
        pairs = ((line, file.key if file else "") for page in pages for _, file, line in page)
        written = archive(lines.names, pairs, parts.store.get, datetime.now(UTC))
        return StreamingResponse(written, media_type="application/zip", headers=headers)
    write, media_type = DOCUMENTS[query.format]
    names = (*lines.names, *((_URL, _URL_ENDS) if query.links else ()))
    try:
        body = write(names, ([line for _, _, line in page] for page in pages))
    except ExportUnavailable as error:
        raise Problem("export_not_installed", f"{error}, where the API runs.") from error
    return StreamingResponse(body, media_type=media_type, headers=headers)


_URL, _URL_ENDS = f"{OUTCOME_PREFIX}url", f"{OUTCOME_PREFIX}url_expires_at"


def _pages(
    caller: Caller, parts: Parts, query: ResultsQuery, wanted: ResultFilter, lines: ResultLines, *, is_seen: bool
) -> Iterator[Page]:
    """Pages of lines with their files. What hands files over is recorded in the ledger, page by page, before it."""
    begin = partial(parts.transaction, caller.tenant)
    last_row = 0
    for found in results(begin, caller.tenant, wanted):
        page: list[tuple[Result, StoredRendition | None, dict[str, Any]]] = []
        for result in found:
            if query.only in _EACH_ROW_ONCE:
                if result.row == last_row:
                    continue
                last_row = result.row
            page += [(result, file, line) for file, line in zip(result.files or (None,), lines.of(result), strict=True)]
        if is_seen and (query.links or query.format == "zip"):
            _record(caller, parts, query, page)
        if query.links:
            page = [(result, file, {**line, **_link(parts, lines, result, file)}) for result, file, line in page]
        yield page


def _link(parts: Parts, lines: ResultLines, result: Result, file: StoredRendition | None) -> Mapping[str, str | None]:
    if file is None:
        return {_URL: None, _URL_ENDS: None}
    seconds = parts.settings.link_seconds
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    url = parts.store.presign(file.key, seconds, disposition(lines.file_name(result, file)))
    return {_URL: url, _URL_ENDS: ends.isoformat(timespec="seconds")}


def _record(caller: Caller, parts: Parts, query: ResultsQuery, page: Page) -> None:
    """Dying after the commit records something that nobody got: harmless."""
    handed = [
        AssetLinked(str(result.asset_id), result.id, file.name, caller.key_id, parts.settings.link_seconds)
        if query.links
        else AssetDownloaded(str(result.asset_id), result.id, file.name, caller.key_id)
        for result, file, _ in page
        if file is not None
    ]
    if handed:
        with parts.transaction(caller.tenant) as conn:
            append(conn, tenant=caller.tenant, actor=caller.actor, events=handed)


def _demand_sense(query: ResultsQuery, size: int, most: int) -> None:
    complaint = None
    if query.links and query.format != "jsonl":
        message = "links are given in JSON lines only"
        complaint = Complaint("invalid", message, "Ask for format=jsonl, or leave links out.", field="query.links")
    if size > most:
        message = f"these files have {size:,} bytes; a ZIP has at most {most:,}"
        remedy = "Name one `channel`, go on with `after`, or ask for JSON lines with `links`."
        complaint = Complaint("zip_too_large", message, remedy, field="query.format")
    if complaint is not None:
        detail = f"{complaint.field}: {complaint.message}. {complaint.remedy}"
        raise Problem("invalid_parameters", detail, errors=[complaint])


def _document_name(view: RequestView, query: ResultsQuery) -> str:
    stem = "-".join(filter(None, (view.name, view.id[:8] if view.name else view.id, query.only)))
    return safe_name(stem, f".{query.format}")


def _begun(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages, the first of them read: a database that is away is a problem, not an empty answer."""
    first = next(pages, None)
    return chain(() if first is None else (first,), pages)
