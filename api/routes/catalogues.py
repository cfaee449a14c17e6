"""/v1/catalogues: catalogues, their runs, and what is live."""

from __future__ import annotations

import tempfile
from typing import Annotated, BinaryIO, Literal, cast

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from sqlalchemy import Connection
from starlette.background import BackgroundTask

from api.catalogues import manifest
from api.catalogues.deliverables import LastRun
from api.edge.auth import Reader, Submitter
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import cursor_of_number, number_of
from api.results.documents import DOCUMENTS
from api.schemas.base import NoQuery
from api.schemas.catalogue_runs import (
    CatalogueDeliveryReply,
    CatalogueDetailReply,
    CatalogueFileQuery,
    CatalogueManifestQuery,
    CatalogueReply,
    CataloguesReply,
    RetireBody,
    RetireReply,
    RollbackBody,
    RollbackReply,
    RunReply,
    RunsQuery,
    RunsReply,
    fields_of,
)
from workers.delivery.file_names import disposition
from workers.jobs.catalogue import catalogues, runs, views
from workers.jobs.delivery.views import get_catalogue_delivery
from workers.jobs.idempotency import StoredReply

router = APIRouter(route_class=InTurn, prefix="/v1/catalogues", tags=["Catalogues"])
_MEMORY_BYTES = _CHUNK_BYTES = 1024 * 1024  # of a file; beyond it lies on disk
CatalogueName = Annotated[str, Path(max_length=63, description="name of the catalogue")]


@router.get("", summary="List the catalogues")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> CataloguesReply:
    """By name, with the number of their last run and whether a person is asked."""
    with parts.transaction(caller.tenant) as conn:
        found = views.list_catalogues(conn, caller.tenant)
    return CataloguesReply(data=[CatalogueReply(**fields_of(CatalogueReply, row)) for row in found])


@router.get("/{name}", summary="A catalogue, with its file")
def read(
    name: CatalogueName, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> CatalogueDetailReply:
    """As its file was last sent, and how far what is live is at its target."""
    with parts.transaction(caller.tenant) as conn:
        row = views.get_catalogue(conn, caller.tenant, name)
        found = get_catalogue_delivery(conn, caller.tenant, row.id)
    delivery = CatalogueDeliveryReply(**fields_of(CatalogueDeliveryReply, found)) if found else None
    return CatalogueDetailReply(**fields_of(CatalogueDetailReply, row), delivery=delivery)


@router.get("/{name}/runs", summary="Runs of a catalogue, the latest first")
def list_runs(name: CatalogueName, caller: Reader, parts: PartsOf, query: Annotated[RunsQuery, Query()]) -> RunsReply:
    """What was made or flipped back, when, and what became live."""
    before = number_of(query.cursor) or None
    with parts.transaction(caller.tenant) as conn:
        catalogue = views.get_catalogue(conn, caller.tenant, name)
        found = views.list_runs(conn, caller.tenant, catalogue.id, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = cursor_of_number(shown[-1].number) if len(found) > query.limit else None
    return RunsReply(data=[RunReply(run=row.number, **fields_of(RunReply, row)) for row in shown], next_cursor=more)


@router.post("/{name}/rollback", response_model=RollbackReply, summary="Return to an earlier run")
def rollback(
    name: CatalogueName,
    caller: Submitter,
    parts: PartsOf,
    *,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[RollbackBody, Depends(json_body(RollbackBody))],
) -> Response:
    """What was live after that run is live again. Nothing is drawn and nothing is deleted.

    A picture that was recalled meanwhile does not come back. The catalogue is paused until a plan is applied.
    """

    def work(conn: Connection) -> StoredReply:
        catalogue = catalogues.demand(conn, caller.tenant, name)
        number, flipped = runs.roll_back(conn, catalogue, asked.to_run, key_id=caller.key_id)
        return answered(200, RollbackReply(run=number, to_run=asked.to_run, flipped=flipped))

    return once.run(caller.tenant, once.fingerprint(asked), work)


@router.post("/{name}/retire", response_model=RetireReply, summary="Take goods out of a catalogue")
def retire(
    name: CatalogueName,
    caller: Submitter,
    parts: PartsOf,
    *,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[RetireBody, Depends(json_body(RetireBody))],
) -> Response:
    """They are in the manifest no longer; their files stay. A row of the feed brings them back."""

    def work(conn: Connection) -> StoredReply:
        catalogue = catalogues.demand(conn, caller.tenant, name)
        return answered(200, RetireReply(retired=catalogues.retire(conn, catalogue, asked.keys, actor=caller.actor)))

    return once.run(caller.tenant, once.fingerprint(asked), work)


@router.get(
    "/{name}/manifest",
    summary="What is live, as CSV or JSON lines",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "A line for each file"}},
)
def read_manifest(
    name: CatalogueName, caller: Reader, parts: PartsOf, query: Annotated[CatalogueManifestQuery, Query()]
) -> StreamingResponse:
    """By key, view and file, with the run that it comes from. A recalled picture is in no manifest."""
    with parts.transaction(caller.tenant) as conn:
        catalogue = views.get_catalogue(conn, caller.tenant, name)
    write, media_type = DOCUMENTS[query.format]
    lines = manifest.pages(parts, caller, catalogue.id, links=query.links)
    headers = {"Content-Disposition": disposition(f"{name}.{query.format}")}
    body = write(manifest.names(links=query.links), lines)
    return StreamingResponse(body, media_type=media_type, headers=headers)


@router.get(
    "/{name}/files/{file}",
    summary="File of the last run: feed.csv, errors.csv or run.json",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The file"}},
)
def read_file(
    name: CatalogueName,
    file: Literal["feed.csv", "errors.csv", "run.json"],
    caller: Reader,
    parts: PartsOf,
    query: Annotated[CatalogueFileQuery, Query()],
) -> Response:
    """feed.csv is the feed as it was planned, with its pictures. errors.csv has the rows without one, and why.

    errors.csv has the feed's own columns first, so that it can be corrected and sent again. 409: no run was applied
    yet, or its feed is kept no longer.
    """
    with parts.transaction(caller.tenant) as conn:
        catalogue = views.get_catalogue(conn, caller.tenant, name)
    run = LastRun(parts, caller.tenant, catalogue)
    headers = {"Content-Disposition": disposition(f"{name}-{file}")}
    if file == "run.json":
        return JSONResponse(run.about(), headers=headers)
    body = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - closed once it is sent
    try:
        if file == "feed.csv":
            run.write_feed(cast(BinaryIO, body), query.address)
        else:
            run.write_errors(cast(BinaryIO, body))
    except BaseException:
        body.close()
        raise
    body.seek(0)
    pieces = iter(lambda: body.read(_CHUNK_BYTES), b"")
    return StreamingResponse(
        pieces, media_type="text/csv; charset=utf-8", headers=headers, background=BackgroundTask(body.close)
    )
