"""/v1/assets: released images, links to their files, and what the ledger says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from api.edge.auth import Auditor, Caller, Reader
from api.edge.dependencies import Parts, PartsOf
from api.edge.in_turn import InTurn
from api.edge.middleware.conditional import hands_over
from api.edge.paging import cursor_of_number, id_of, number_of, page, uuid_or_not_found
from api.edge.problems import Problem
from api.results.thumbnails import small_picture
from api.schemas.assets import AssetReply, RenditionReply, SearchReply
from api.schemas.base import NoQuery, NumberedPageQuery, Page, PageQuery
from api.schemas.events import EventReply
from api.schemas.fields import PathId
from api.schemas.recalls import mark_reply, refuse_recalled
from policy.events import AssetLinked
from policy.ledger.append import append
from policy.ledger.reading.events import events_about
from workers.delivery.file_names import disposition
from workers.delivery.lines import ResultLines
from workers.jobs.asset_views import AssetView, get_asset, list_assets, thumbnail_of
from workers.jobs.recall.views import RecallMark, marks_of
from workers.states import AssetState
from workers.thumbnails.picture import MEDIA_TYPE

router = APIRouter(route_class=InTurn, prefix="/v1")
_THUMBNAIL_SECONDS = 300  # that a browser may keep one: so long it may still be seen there after a recall


@router.get("/requests/{request_id}/assets", tags=["Assets"], summary="Assets of a request, in the order of release")
def list_of_request(
    request: Request, request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[PageQuery, Query()]
) -> Page[AssetReply]:
    """Every released image with presigned links. Giving out a link is an event of the ledger."""
    request_id = uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        found = list_assets(conn, caller.tenant, request_id, limit=query.limit + 1, after=id_of(query.cursor))
        shown, cursor = page(found, query.limit)
        marks = marks_of(conn, caller.tenant, [view.id for view in shown])
        if hands_over(request):
            _record(conn, caller, parts, [view for view in shown if view.id not in marks])
    return Page(data=[_reply(view, parts, marks.get(view.id)) for view in shown], next_cursor=cursor)


@router.get("/assets/{asset_id}", tags=["Assets"], summary="One asset, with links to its files")
def read(
    request: Request, asset_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> AssetReply:
    """A link needs no key, names one file, and ends after `link_seconds` (15 minutes at most)."""
    with parts.transaction(caller.tenant) as conn:
        view = get_asset(conn, caller.tenant, uuid_or_not_found(asset_id, "asset"))
        refuse_recalled(view, marks_of(conn, caller.tenant, [view.id]))
        if hands_over(request):
            _record(conn, caller, parts, [view])
    return _reply(view, parts)


@router.get(
    "/assets/{asset_id}/thumbnail",
    tags=["Assets"],
    summary="A small picture of an asset",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
def read_thumbnail(asset_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Response:
    """WebP, 256 pixels on the longer side, for lists. It is no file of the asset: it carries no manifest."""
    with parts.transaction(caller.tenant) as conn:
        view = get_asset(conn, caller.tenant, uuid_or_not_found(asset_id, "asset"))
        refuse_recalled(view, marks_of(conn, caller.tenant, [view.id]))
        made = thumbnail_of(conn, caller.tenant, view.id)
    headers = {"Cache-Control": f"private, max-age={_THUMBNAIL_SECONDS}"}
    return Response(small_picture(parts.store, made, view.renditions), media_type=MEDIA_TYPE, headers=headers)


@router.get("/assets/{asset_id}/events", tags=["Audit"], summary="What the ledger says of an asset")
def list_events(
    asset_id: PathId, caller: Auditor, parts: PartsOf, query: Annotated[NumberedPageQuery, Query()]
) -> Page[EventReply]:
    """Your tenant's events about the asset, its item and its request, oldest first; `index` is null until sealed.

    Batches may hold several tenants' items, so their events are for the installation's auditor.
    """
    asset_id, after = uuid_or_not_found(asset_id, "asset"), number_of(query.cursor)
    if parts.auditor is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_AUDITOR_DATABASE_URL for the API process.")
    with parts.transaction(caller.tenant) as conn:
        get_asset(conn, caller.tenant, asset_id)
    with parts.auditor.begin() as conn:
        found = events_about(conn, asset_id, tenant=caller.tenant, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    cursor = cursor_of_number(shown[-1].entry_id) if len(found) > query.limit else None
    return Page(data=[EventReply(**event.to_json()) for event in shown], next_cursor=cursor)


def _record(conn: Connection, caller: Caller, parts: Parts, shown: Sequence[AssetView]) -> None:
    """The events of the links about to be given out. Dying after the commit records a link nobody got: harmless."""
    linked = [
        AssetLinked(view.id, view.item_id, rendition.name, caller.key_id, parts.settings.link_seconds)
        for view in shown
        if view.state == AssetState.RELEASED
        for rendition in view.renditions
    ]
    append(conn, tenant=caller.tenant, actor=caller.actor, events=linked)


def _reply(view: AssetView, parts: Parts, mark: RecallMark | None = None) -> AssetReply:
    seconds = parts.settings.link_seconds
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    released = view.state == AssetState.RELEASED and mark is None
    lines = ResultLines(view.carried_columns, view.file_templates)
    names = {file.name: lines.file_name(view, file) for file in view.renditions}
    return AssetReply(
        id=view.id,
        item_id=view.item_id,
        request_id=view.request_id,
        custom_id=view.custom_id,
        variant=view.variant,
        state=AssetState.RECALLED if mark else view.state,
        recall=mark_reply(mark) if mark else None,
        watermark_id=f"{view.watermark_id:012x}",
        policy_version=view.policy_version,
        provenance=dict(view.provenance),
        released_at=view.released_at,
        erased_at=view.erased_at,
        renditions=[
            RenditionReply(
                name=file.name,
                file_name=names[file.name],
                media_type=file.media_type,
                width=file.width,
                height=file.height,
                bytes=file.bytes,
                sha256=file.sha256,
                url=parts.store.presign(file.key, seconds, disposition(names[file.name])) if released else None,
                url_expires_at=ends if released else None,
            )
            for file in view.renditions
        ],
        search=SearchReply(**asdict(view.search)) if view.search else None,
    )
