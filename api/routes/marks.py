"""/v1/marks: marks for pictures that another tool made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from api.edge.auth import Submitter
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf
from api.edge.in_turn import InTurn
from api.schemas.base import NoQuery
from api.schemas.marks import MarksBody
from api.schemas.submission import AcceptedReply
from api.submission.pictures.elsewhere import check_marks
from api.submission.store import store

router = APIRouter(route_class=InTurn, prefix="/v1/marks", tags=["Marks"])


@router.post(
    "",
    status_code=202,
    response_model=AcceptedReply,
    response_description="Stored, with an item for each picture",
    summary="Mark pictures that another tool made",
)
def submit_marks(
    caller: Submitter,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[MarksBody, Depends(json_body(MarksBody))],
) -> Response:
    """Each picture is an input. It is screened, labelled, watermarked, signed and recorded as a drawn image is, and
    no model changes it. What you state of its origin is recorded as stated.

    The answer is a request like any other: follow it, and fetch its files, under `/v1/requests/{id}`. Marks that a
    picture carries already are recorded, and its manifest is kept as an ingredient of the new one.
    """
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    checked = check_marks(asked, parts, caller)
    return once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked))
