"""/v1/catalogues/{name}/plans: what an apply would do, its changes, and the apply itself."""

from __future__ import annotations

import io
from functools import partial
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection, Row

from api.catalogues.applying import Apply
from api.catalogues.planning import make_plan
from api.edge.auth import Caller, Reader, Submitter, demand_person
from api.edge.bodies import json_body, parse
from api.edge.dependencies import Parts, PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.multipart import sha256_of
from api.edge.paging import id_of, page, uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.edge.uploads.catalogues import SentCatalogue, catalogue_upload
from api.schemas.base import NoQuery
from api.schemas.catalogue_runs import (
    ApplyBody,
    CatalogueChangeReply,
    CataloguePlanReply,
    ChangesQuery,
    ChangesReply,
    PicturesBody,
    PlansQuery,
    PlansReply,
    RunBegunReply,
    RunLinksReply,
    fields_of,
)
from api.schemas.catalogues import CatalogueBody
from api.submission.store import links
from workers.jobs.catalogue import catalogues, plans, views
from workers.jobs.catalogue.runs import Choice
from workers.jobs.idempotency import StoredReply
from workers.jobs.types import new_id
from workers.store import feed_key

router = APIRouter(route_class=InTurn, prefix="/v1/catalogues", tags=["Catalogues"])
CatalogueName = Annotated[str, Path(max_length=63, description="name of the catalogue")]
PlanId = Annotated[str, Path(json_schema_extra={"format": "uuid"})]


@router.post(
    "/{name}/plans",
    status_code=202,
    response_model=CataloguePlanReply,
    response_description="It is being made; ask again until `state` is ready or failed",
    summary="Plan a catalogue",
)
def create_plan(
    name: CatalogueName,
    caller: Submitter,
    parts: PartsOf,
    *,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    sent: Annotated[SentCatalogue, Depends(catalogue_upload)],
) -> Response:
    """Compares every row of the feed with what is live, and says what an apply would do. Nothing is drawn.

    The part `catalogue` is the file as JSON; another file than before is the catalogue's next version. The part `file`
    is the feed, unless the catalogue names its address. A plan expires after a day.
    """
    spec = parse(CatalogueBody, sent.catalogue)
    pictures = parse(PicturesBody, sent.pictures).pictures if sent.pictures else {}
    _demand_one_feed(name, spec, sent)
    id, digest = new_id(), sha256_of(sent.file or io.BytesIO())
    fingerprint = once.fingerprint(spec, digest, sent.pictures)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    key = feed_key(caller.tenant, id, 0) if sent.file else None
    if sent.file and key:  # killed behind this: the object is named by no row
        parts.store.put_file(key, sent.file, "application/octet-stream", digest.hex())

    def work(conn: Connection) -> StoredReply:
        written = spec.model_dump(mode="json", exclude_unset=True)
        catalogue = catalogues.put(conn, caller.tenant, written, key_id=caller.key_id)
        plans.begin(conn, catalogue, id=id, key_id=caller.key_id, feed_key=key, pictures=pictures)
        return answered(202, _plan(views.get_plan(conn, caller.tenant, id)))

    reply = once.run(caller.tenant, fingerprint, work)
    _look_after(parts, caller.tenant, id)
    return reply


@router.get("/{name}/plans", summary="Plans of a catalogue, the latest first")
def list_plans(
    name: CatalogueName, caller: Reader, parts: PartsOf, query: Annotated[PlansQuery, Query()]
) -> PlansReply:
    """What applies would do, or did."""
    with parts.transaction(caller.tenant) as conn:
        catalogue = views.get_catalogue(conn, caller.tenant, name)
        before = id_of(query.cursor)
        found = views.list_plans(conn, caller.tenant, catalogue.id, before=before, limit=query.limit + 1)
    shown, more = page(found, query.limit)
    return PlansReply(data=[_plan(row) for row in shown], next_cursor=more)


@router.get("/{name}/plans/{plan_id}", summary="A plan")
def read_plan(
    name: CatalogueName, plan_id: PlanId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> CataloguePlanReply:
    """How far it is, and what an apply would do. A plan whose process died is begun again by this look."""
    plan = _demand_plan(parts, caller, name, plan_id)
    if plan.state == "planning":
        _look_after(parts, caller.tenant, plan.id)
    return _plan(plan)


@router.get("/{name}/plans/{plan_id}/changes", summary="Changes of a plan")
def list_changes(
    name: CatalogueName, plan_id: PlanId, caller: Reader, parts: PartsOf, query: Annotated[ChangesQuery, Query()]
) -> ChangesReply:
    """By key and view: the kind, the first part that differs, or why nothing is made."""
    plan = _demand_plan(parts, caller, name, plan_id)
    view, _, key = query.cursor.partition("-")
    if query.cursor and not (view.isdecimal() and view.isascii() and len(view) < 4 and key):
        complaint = Complaint(
            "cursor", "this is no cursor of ours", "Send next_cursor unchanged.", field="query.cursor"
        )
        raise Problem("invalid_parameters", "query.cursor: this is no cursor of ours.", errors=[complaint])
    after = (key, int(view)) if query.cursor else None
    with parts.transaction(caller.tenant) as conn:
        found = views.list_changes(conn, caller.tenant, plan.id, kind=query.kind, after=after, limit=query.limit + 1)
        shown = found[: query.limit]
        seen = views.pictures_of(conn, plan, [(row.key, row.view) for row in shown])
    more = f"{shown[-1].view}-{shown[-1].key}" if len(found) > query.limit else None
    data = [
        CatalogueChangeReply(
            **fields_of(CatalogueChangeReply, row), asset_before=pictures.before, asset_after=pictures.after
        )
        for row in shown
        for pictures in (seen.get((row.key, row.view), views.BeforeAndAfter(None, None)),)
    ]
    return ChangesReply(data=data, next_cursor=more)


@router.post(
    "/{name}/plans/{plan_id}/apply",
    status_code=202,
    response_model=RunBegunReply,
    response_description="Its request is stored; what is released becomes live once all of it is made",
    summary="Apply a plan",
)
def apply(
    name: CatalogueName,
    plan_id: PlanId,
    caller: Submitter,
    parts: PartsOf,
    *,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[ApplyBody, Depends(json_body(ApplyBody))],
) -> Response:
    """Makes exactly the pictures that the plan shows, and retires what its feed marks, once.

    409: the catalogue moved since, or a run is being made.

    What policy holds or refuses, and what fails, leaves the old picture live. The first run is a pilot. A person
    overrules the safeguards of a plan, with `confirm`.
    """
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    plan = _demand_plan(parts, caller, name, plan_id)
    if plan.safeguards:
        _demand_confirmed(caller, plan, asked)
    choice = Choice(asked.only, asked.again, asked.limit)
    applying = Apply(parts, caller, plan.id, asked.digest, choice)
    try:
        applying.check()
        return once.run(caller.tenant, fingerprint, lambda conn: _begun(applying, conn, name, plan.id))
    finally:
        applying.close()


def _begun(applying: Apply, conn: Connection, name: str, plan_id: str) -> StoredReply:
    begun = applying.begin(conn)
    body: dict[str, Any] = dict(begun.reply.body) if begun.reply else {}
    id = body.get("id")
    reply = RunBegunReply(
        catalogue=name,
        run=begun.run,
        plan_id=plan_id,
        request_id=id,
        slots=body.get("items", 0),
        retired=begun.retired,
        pilot=body.get("pilot"),
        warnings=body.get("warnings", []),
        links=RunLinksReply(request=links(id).request if id else None),
    )
    return answered(202, reply)


def _look_after(parts: Parts, tenant: str, plan_id: str) -> None:
    """Has the plan made where nobody makes it. A queue that is full is offered it by the next look."""
    parts.planning.offer(tenant, plan_id, partial(make_plan, parts, tenant, plan_id))


def _demand_plan(parts: Parts, caller: Caller, name: str, plan_id: str) -> Row[Any]:
    id = uuid_or_not_found(plan_id, "plan")
    with parts.transaction(caller.tenant) as conn:
        catalogue = views.get_catalogue(conn, caller.tenant, name)
        return views.get_plan(conn, caller.tenant, id, catalogue_id=catalogue.id)


def _demand_confirmed(caller: Caller, plan: Row[Any], asked: ApplyBody) -> None:
    said = "; ".join(safeguard["message"] for safeguard in plan.safeguards)
    if not asked.confirm:
        complaint = Complaint(
            "needs_confirmation", said, "Look at the changes; a person applies with `confirm`.", field="confirm"
        )
        raise Problem("conflict", f"The plan asks for a person: {said}.", errors=[complaint])
    demand_person(caller)


def _demand_one_feed(name: str, spec: CatalogueBody, sent: SentCatalogue) -> None:
    complaint = None
    if spec.name != name:
        message = f"the file is of catalogue {spec.name}, the address of {name}"
        complaint = Complaint("invalid", message, "Use one name in both.", field="name")
    elif bool(spec.source.url) == (sent.file is not None):
        message = "the feed is sent and has an address" if sent.file else "there is no feed and no address of one"
        complaint = Complaint("parts", message, "Send the part 'file', or write `source.url`.", field="source.url")
    if complaint:
        raise Problem("invalid_body", f"{complaint.field}: {complaint.message}.", errors=[complaint])


def _plan(row: Row[Any]) -> CataloguePlanReply:
    plain = fields_of(CataloguePlanReply, row)
    shown = {name: plain.get(name) or {} for name in ("counts", "causes")}
    listed = {name: plain.get(name) or [] for name in ("safeguards", "errors")}
    return CataloguePlanReply(**{**plain, **shown, **listed}, catalogue=cast(str, row.name), rows=row.feed_rows)
