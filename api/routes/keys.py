"""/v1/keys: API keys of your own tenant."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, Security
from sqlalchemy import Connection

from api.edge.auth import Admin, Caller, authenticate
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.fields import PathId
from api.schemas.keys import KeyBody, KeyCreatedReply, KeyReply, OwnKeyReply
from workers.jobs.idempotency import StoredReply
from workers.jobs.keys import ApiKey, create_key, get_key, list_keys, revoke_key

router = APIRouter(route_class=InTurn, prefix="/v1/keys", tags=["Keys"])
Keyholder = Annotated[Caller, Security(authenticate, scopes=[])]  # any scope: it is told about itself


@router.post("", status_code=201, response_model=KeyCreatedReply, summary="Create a key")
def create(
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[KeyBody, Depends(json_body(KeyBody))],
) -> Response:
    """The key is in this answer and nowhere else: only its SHA-256 is stored.

    With an `Idempotency-Key`, the answer is stored with the key encrypted under the API key that makes this call. A
    repeat with that API key shows it again; any other API key gets 409.
    """
    expires_at = datetime.now(UTC) + timedelta(days=asked.expires_in_days) if asked.expires_in_days else None

    def work(conn: Connection) -> StoredReply:
        stored, key = create_key(
            conn,
            caller.tenant,
            name=asked.name,
            scopes=asked.scopes,
            actor=caller.actor,
            expires_at=expires_at,
            person=asked.person,
            daily_images=asked.daily_images,
        )
        return answered(201, KeyCreatedReply(**_fields(stored), key=key))

    return once.run(caller.tenant, once.fingerprint(asked), work, encrypted="key")


@router.get("", summary="List the keys, oldest first")
def list_all(caller: Admin, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[KeyReply]:
    """Revoked and expired keys too."""
    with parts.transaction(caller.tenant) as conn:
        found = list_keys(conn, caller.tenant, limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[KeyReply(**_fields(key)) for key in shown], next_cursor=cursor)


@router.get("/own", summary="The key of this call")
def read_own(caller: Keyholder, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> OwnKeyReply:
    """Whose it is and what it may do, for clients that offer no more than that."""
    with parts.transaction(caller.tenant) as conn:
        return OwnKeyReply(**_fields(get_key(conn, caller.tenant, caller.key_id)), tenant=caller.tenant)


@router.get("/{key_id}", summary="One key")
def read(key_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> KeyReply:
    """What it may do, whose it is, and whether it still works; never the key itself."""
    with parts.transaction(caller.tenant) as conn:
        return KeyReply(**_fields(get_key(conn, caller.tenant, uuid_or_not_found(key_id, "key"))))


@router.delete("/{key_id}", status_code=204, summary="Revoke a key")
def revoke(key_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """It stops working at once. Repeating it is harmless."""
    key_id = uuid_or_not_found(key_id, "key")

    def work(conn: Connection) -> StoredReply:
        revoke_key(conn, caller.tenant, key_id, actor=caller.actor)
        return answered(204)

    return once.run(caller.tenant, once.fingerprint(), work)


def _fields(key: ApiKey) -> dict[str, object]:
    fields = asdict(key)
    return {name: fields[name] for name in KeyReply.model_fields}
