"""/v1/detect: the public detector, which needs no key. Off unless a setting names a tenant for it.

Laws on generated media ask for a free detector. Anonymous callers act as a tenant that owns no picture, so they learn
what any other tenant learns: that a picture was made here, what its manifest says, and whether it was recalled.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from api.edge.bodies import picture_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf
from api.edge.in_turn import InTurn
from api.edge.limits.anonymous import Asking, Looking
from api.edge.paging import uuid_or_not_found
from api.routes.identify import ask_once, reply
from api.schemas.base import NoQuery
from api.schemas.fields import PathId
from api.schemas.identify import IdentificationReply
from workers.jobs.identification.questions import get_question
from workers.jobs.keys import create_tenant

router = APIRouter(route_class=InTurn, prefix="/v1/detect", tags=["Detect"])
_ACTOR = "public detector"


@router.post(
    "",
    status_code=202,
    response_model=IdentificationReply,
    response_description="Stored; the answer comes from GET /v1/detect/{id}",
    summary="Ask whether a picture was made here; no key needed",
)
def detect(
    caller: Asking,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    picture: Annotated[bytes, Depends(picture_body)],
) -> Response:
    """The body is the picture file itself, as for `/v1/identify`. It is deleted once it is answered.

    404 where the installation has no public detector; 429 for an address that asks too often, or has too many pictures
    waiting. An `Idempotency-Key` is the caller's own: from another address it is another key.
    """
    with parts.transaction(caller.tenant) as conn:
        create_tenant(conn, caller.tenant, name="Anonymous callers", actor=_ACTOR)
    return ask_once(once.of_address(caller.networks[0]), caller, parts, picture)


@router.get("/{identification_id}", summary="The answer about a picture; no key needed")
def answer(
    identification_id: PathId, caller: Looking, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> IdentificationReply:
    """Answers are kept for a day. No asset is named, no tenant, no prompt."""
    id = uuid_or_not_found(identification_id, "identification")
    with parts.transaction(caller.tenant) as conn:
        return reply(get_question(conn, caller.tenant, id), None)
