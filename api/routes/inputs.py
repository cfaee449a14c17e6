"""/v1/inputs: send pictures in for tasks, read what was found on them, and have them erased.

The upload goes to the object store's inbox, a row goes to Postgres, and a process of its own decodes, screens and
stores the picture: here its header is read and no more. Killed between the two: the upload is swept, the caller has no
id and sends it again.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Reader, Submitter
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.edge.uploads.inputs import SentInput, input_body
from api.schemas.base import NoQuery, Page
from api.schemas.fields import PathId
from api.schemas.identify import WaitQuery
from api.schemas.inputs import (
    AddressBody,
    InputErasureQuery,
    InputErasureReply,
    InputFindingReply,
    InputFormBody,
    InputReply,
    InputsQuery,
)
from api.submission.pictures.receiving import received
from workers.jobs.idempotency import StoredReply
from workers.jobs.inputs.received import receive
from workers.jobs.inputs.views import InputView, get_input, list_inputs, settled_inputs
from workers.jobs.privacy.inputs import erase_input, would_erase

router = APIRouter(route_class=InTurn, prefix="/v1/inputs", tags=["Inputs"])


@router.post(
    "",
    status_code=202,
    response_model=InputReply,
    response_description="Stored; it may be named in requests at once",
    summary="Send a picture in",
)
def send(
    caller: Submitter,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    sent: Annotated[SentInput, Depends(input_body(InputFormBody, AddressBody))],
) -> Response:
    """A picture (PNG, JPEG, WebP or AVIF) as the part `file` of a multipart body or as the body itself, or JSON with
    the `url` to fetch it from.

    It is decoded in a limited process, turned upright, stripped of metadata and screened; marks that it carries are
    recorded. The same file sent twice is one input. What policy refuses reaches no model.

    ```sh
    curl -H "Authorization: Bearer $PRESSWORK_KEY" -F file=@mug.jpg http://127.0.0.1:8400/v1/inputs
    ```
    """
    digest = hashlib.sha256(sent.data).hexdigest()
    fingerprint = once.fingerprint(f"{digest}\n{sent.address}\n{sent.name}\n{sent.consent}".encode())
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    new = received(caller, parts, sent, digest)

    def work(conn: Connection) -> StoredReply:
        return answered(202, reply(get_input(conn, caller.tenant, receive(conn, new))))

    return once.run(caller.tenant, fingerprint, work)


@router.get("", summary="List inputs, newest first")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[InputsQuery, Query()]) -> Page[InputReply]:
    """Every input of your tenant, those that were erased included."""
    with parts.transaction(caller.tenant) as conn:
        found = list_inputs(
            conn, caller.tenant, limit=query.limit + 1, before=id_of(query.cursor), state=query.state or None
        )
    shown, cursor = page(found, query.limit)
    return Page(data=[reply(view) for view in shown], next_cursor=cursor)


async def _waited(
    request: Request, input_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[WaitQuery, Query()]
) -> None:
    """Holds no thread. The caller is authenticated before, and the row is read after."""
    id = uuid_or_not_found(input_id, "input")
    if query.wait:
        await parts.room.wait(request, caller.tenant, settled_inputs, id, query.wait)


@router.get("/{input_id}", summary="An input, and what was found on it", dependencies=[Depends(_waited)])
def read(input_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[WaitQuery, Query()]) -> InputReply:
    """`wait` holds the reply until it was looked at, for at most so many seconds."""
    id = uuid_or_not_found(input_id, "input")
    with parts.transaction(caller.tenant) as conn:
        return reply(get_input(conn, caller.tenant, id))


@router.delete("/{input_id}", response_model=InputReply | InputErasureReply, summary="Have an input erased")
def delete(
    input_id: PathId, caller: Submitter, parts: PartsOf, once: OnceOf, query: Annotated[InputErasureQuery, Query()]
) -> Any:
    """Its bytes are deleted. Images that wait for it fail, each with that reason; what was made from it stays, and a
    recall by this input takes it back.

    `dry_run` says first what would follow. Repeating it is harmless. One that was recalled with what was made from it
    is kept as evidence: 409.
    """
    id = uuid_or_not_found(input_id, "input")
    if query.dry_run:
        with parts.transaction(caller.tenant) as conn:
            return InputErasureReply(**would_erase(conn, caller.tenant, id)._asdict())

    def work(conn: Connection) -> StoredReply:
        erase_input(conn, caller.tenant, id, caller.actor)
        return answered(200, reply(get_input(conn, caller.tenant, id)))

    return once.run(caller.tenant, once.fingerprint(), work)


def reply(view: InputView) -> InputReply:
    """What its tenant reads of an input."""
    verdict = view.verdict or {}
    plain = {name: getattr(view, name) for name in InputReply.model_fields if hasattr(view, name)}
    findings = [
        InputFindingReply(**{name: finding[name] for name in InputFindingReply.model_fields})
        for finding in verdict.get("findings", [])
    ]
    return InputReply(**plain, decision=verdict.get("decision"), findings=findings)
