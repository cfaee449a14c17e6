"""/v1/keys: API keys of your own tenant."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.edge.auth import Admin
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.replies import KeyCreated, KeyReply, Page
from api.schemas.requests import NewKey, NoQuery
from workers.jobs.keys import ApiKey, create_key, list_keys, revoke_key

router = APIRouter(prefix="/v1/keys", tags=["Keys"])


@router.post("", status_code=201, summary="Create a key")
def create(
    request: Request,
    caller: Admin,
    parts: PartsOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[NewKey, Depends(json_body(NewKey))],
) -> KeyCreated:
    """The key is in this answer and nowhere else: only its SHA-256 is stored.

    For that reason there is no `Idempotency-Key` here: a lost answer means revoking and creating again.
    """
    if "idempotency-key" in request.headers:
        message = "replies with a secret are not stored, so they cannot be repeated"
        complaint = Complaint("not_repeatable", message, "Leave it out.", field="header.Idempotency-Key")
        raise Problem("invalid_parameters", f"Idempotency-Key: {message}.", errors=[complaint])
    expires_at = datetime.now(UTC) + timedelta(days=asked.expires_in_days) if asked.expires_in_days else None
    with parts.transaction(caller.tenant) as conn:
        stored, key = create_key(
            conn,
            caller.tenant,
            name=asked.name,
            scopes=asked.scopes,
            actor=caller.actor,
            expires_at=expires_at,
            person=asked.person,
        )
    return KeyCreated(**_fields(stored), key=key)


@router.get("", summary="List the keys, oldest first")
def list_all(caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Page[KeyReply]:
    """Revoked and expired keys too. All on one page."""
    with parts.transaction(caller.tenant) as conn:
        found = list_keys(conn, caller.tenant)
    return Page(data=[KeyReply(**_fields(key)) for key in found], next_cursor=None)


@router.delete("/{key_id}", status_code=204, summary="Revoke a key")
def revoke(key_id: str, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Response:
    """It stops working at once. Repeating it is harmless."""
    with parts.transaction(caller.tenant) as conn:
        revoke_key(conn, caller.tenant, uuid_or_not_found(key_id, "key"), actor=caller.actor)
    return Response(status_code=204)


def _fields(key: ApiKey) -> dict[str, object]:
    fields = asdict(key)
    return {name: fields[name] for name in KeyReply.model_fields}
