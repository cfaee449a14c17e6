"""/v1/revocations: the signed list of recalled files, for those who distribute our pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, Security

from api.edge.auth import Caller, authenticate
from api.edge.dependencies import PartsOf
from api.edge.in_turn import InTurn
from api.edge.problems import Problem
from api.schemas.base import NoQuery
from workers.revocation_lists import MEDIA_TYPE, RevocationLists

router = APIRouter(route_class=InTurn, prefix="/v1")
Keyholder = Annotated[Caller, Security(authenticate, scopes=[])]  # any scope: it says nothing to who has no file


@router.get(
    "/revocations",
    tags=["Recalls"],
    summary="The newest revocation list",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "A signed note"}},
)
def newest(caller: Keyholder, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Response:
    """A C2SP signed note over the SHA-256 of every recalled file of this installation, and the digests themselves.

    Check it offline with the ledger's public key: `presswork audit revoked FILE --list LIST --vkeys KEYS`.
    """
    content = RevocationLists(parts.store, parts.settings.ledger_origin).newest()
    if content is None:
        raise Problem("not_found", "No list was issued yet: nothing is sealed, or the sealer is away.")
    return Response(content, media_type=MEDIA_TYPE)
