"""/v1/identify: send a picture that was found anywhere; the answer says whether it was made here.

The upload goes to the object store's inbox, a row goes to Postgres, and a process of its own answers: no byte of the
picture is looked at here. Killed between the two: the upload is swept, the caller has no id and sends it again.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Caller, Reader
from api.edge.bodies import picture_body
from api.edge.dependencies import Parts, PartsOf
from api.edge.idempotency import Once, OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import uuid_or_not_found
from api.schemas.base import NoQuery
from api.schemas.fields import PathId
from api.schemas.identify import IdentificationReply, OriginReply, WaitQuery
from workers.jobs.asset_views import get_asset
from workers.jobs.idempotency import StoredReply
from workers.jobs.identification.questions import QuestionState, QuestionView, ask, get_question, settled_questions
from workers.jobs.types import new_id
from workers.store import inbox_key

router = APIRouter(route_class=InTurn, prefix="/v1/identify", tags=["Identify"])


@router.post(
    "",
    status_code=202,
    response_model=IdentificationReply,
    response_description="Stored; the answer comes from GET /v1/identify/{id}",
    summary="Ask whose picture this is",
)
def ask_about(
    caller: Reader,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    picture: Annotated[bytes, Depends(picture_body)],
) -> Response:
    """The body is the picture file itself, as `application/octet-stream` or `image/*`.

    PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF and JPEG 2000 are read. Of an animation the first frame is looked at.

    Copies are recognised after cropping, resizing, recompression, rotation, mirroring and in screenshots. Of another
    tenant's picture you learn that it was made by this installation, and whether it was recalled; nothing else.

    ```sh
    curl -H "Authorization: Bearer $PRESSWORK_KEY" -H "Content-Type: application/octet-stream" \\
      --data-binary @found.jpg http://127.0.0.1:8400/v1/identify
    ```
    """
    return ask_once(once, caller, parts, picture)


async def _waited(
    request: Request, identification_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[WaitQuery, Query()]
) -> None:
    """Holds no thread. The caller is authenticated before, and the row is read after."""
    id = uuid_or_not_found(identification_id, "identification")
    if query.wait:
        await parts.room.wait(request, caller.tenant, settled_questions, id, query.wait)


@router.get("/{identification_id}", summary="The answer about a picture", dependencies=[Depends(_waited)])
def read(
    identification_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[WaitQuery, Query()]
) -> IdentificationReply:
    """`wait` holds the reply until the answer is there, for at most so many seconds. Answers are kept for a day.

    429 with `Retry-After` while too many replies to the tenant are held back.
    """
    id = uuid_or_not_found(identification_id, "identification")
    with parts.transaction(caller.tenant) as conn:
        view = get_question(conn, caller.tenant, id)
    return reply(view, _lineage(view, caller.tenant, parts))


def ask_once(once: Once, caller: Caller, parts: Parts, picture: bytes) -> Response:
    """A question about these bytes, stored and waiting.

    The upload comes before the row, as no connection is held while the object store works. Of two repeats at the same
    moment both may upload: one row is written, and the other upload is swept.
    """
    sha256 = hashlib.sha256(picture).hexdigest()
    fingerprint = once.fingerprint(sha256.encode())
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    id = new_id()
    key = inbox_key(caller.tenant, id)
    parts.store.put(key, picture, "application/octet-stream")

    def work(conn: Connection) -> StoredReply:
        ask(
            conn,
            id=id,
            tenant=caller.tenant,
            key_id=caller.key_id,
            object=key,
            size=len(picture),
            sha256=sha256,
            asked_from=caller.networks,
        )
        return answered(202, reply(get_question(conn, caller.tenant, id), None))

    return once.run(caller.tenant, fingerprint, work)


def _lineage(view: QuestionView, tenant: str, parts: Parts) -> OriginReply | None:
    """Of an asset of the caller's own, as it stands now: it may have been recalled since."""
    answer = view.answer or {}
    if not (answer.get("own") and answer.get("asset_id")):
        return None
    with parts.transaction(tenant) as conn:
        asset = get_asset(conn, tenant, str(answer["asset_id"]))
    made: dict[str, Any] = dict(asset.provenance)
    recipe = made.get("recipe") or {}
    return OriginReply(
        asset_id=asset.id,
        state=asset.state,
        request_id=asset.request_id,
        item_id=asset.item_id,
        custom_id=asset.custom_id,
        variant=asset.variant,
        released_at=asset.released_at,
        policy_version=asset.policy_version,
        model=recipe.get("model"),
        model_revision=recipe.get("model_revision"),
        href=f"/v1/assets/{asset.id}",
        events_href=f"/v1/assets/{asset.id}/events",
    )


def reply(view: QuestionView, lineage: OriginReply | None) -> IdentificationReply:
    """What its asker reads of a question."""
    answer = view.answer if view.state == QuestionState.DONE else None
    return IdentificationReply(
        id=view.id,
        state=view.state,
        sha256=view.sha256,
        bytes=view.bytes,
        reason=view.reason,
        created_at=view.created_at,
        settled_at=view.settled_at,
        finding=answer and answer["finding"],
        verified=answer and answer["verified"],
        made_here=answer and answer["made_here"],
        own=answer and answer["own"],
        asset_state=lineage.state if lineage else answer and answer.get("state"),
        reasons=list(answer["reasons"]) if answer else [],
        false_match_probability=answer and answer["false_match_probability"],
        agreement=answer and answer.get("agreement"),
        place=(answer and answer.get("place")) or [],
        also=(answer and answer.get("also")) or [],
        layers=answer and answer["layers"],
        picture=answer and answer["picture"],
        lineage=lineage,
    )
