"""Tenants and their API keys. A key is shown once; only its SHA-256 is stored.

A key is 256 random bits, so a plain hash is enough: there is nothing to guess and nothing to slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.ledger.append import append
from workers.errors import NotFound
from workers.jobs.tables import api_keys, tenants
from workers.jobs.types import new_id

KEY_PREFIX = "pw_"  # so that a leaked key can be found by scanners
SCOPES = ("submit", "read", "review", "audit", "admin")
AGENT = "agent"  # a scope of its own, with `read` and `audit` beside it and no other
AGENT_SCOPES = (AGENT, "read", "audit")
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored: everything but the key."""

    id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    person: str | None  # whose it is, for four eyes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    daily_images: int | None = None  # of an agent's key, and of no other


@dataclass(frozen=True, slots=True)
class PersonBehind:
    """Who decides, or who submitted. Two keys of one person are one person."""

    key_id: str
    name: str
    person: str


def create_tenant(conn: Connection, tenant: str, *, name: str, actor: str, weight: int = 1) -> bool:
    """Whether the tenant is new; one that exists is left as it is."""
    added = conn.execute(
        insert(tenants).values(id=tenant, name=name, weight=weight).on_conflict_do_nothing(index_elements=["id"])
    ).rowcount
    if added:
        append(conn, tenant=tenant, actor=actor, events=[events.TenantCreated(weight)])
    return bool(added)


def create_key(
    conn: Connection,
    tenant: str,
    *,
    name: str,
    scopes: Iterable[str],
    actor: str,
    expires_at: datetime | None = None,
    person: str | None = None,
    daily_images: int | None = None,
) -> tuple[ApiKey, str]:
    """The stored key and the key itself, which cannot be shown again. `daily_images` belongs to the scope `agent`."""
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    wanted = tuple(scope for scope in (*SCOPES, AGENT) if scope in set(scopes))
    row = conn.execute(
        api_keys.insert()
        .values(
            id=new_id(),
            tenant=tenant,
            name=name,
            sha256=_sha256(key),
            scopes=list(wanted),
            person=person,
            expires_at=expires_at,
            daily_images=daily_images,
        )
        .returning(*_COLUMNS)
    ).one()
    append(conn, tenant=tenant, actor=actor, events=[_created(row.id, name, wanted, person, daily_images)])
    return _api_key(row), key


def revoke_key(conn: Connection, tenant: str, key_id: str, *, actor: str) -> bool:
    """Whether the key worked until now; it does not from this commit on. Raises NotFound."""
    this = (api_keys.c.id == key_id) & (api_keys.c.tenant == tenant)
    revoked = conn.execute(
        api_keys.update().where(this, api_keys.c.revoked_at.is_(None)).values(revoked_at=func.now())
    ).rowcount
    if revoked:
        append(conn, tenant=tenant, actor=actor, events=[events.KeyRevoked(key_id)])
    elif conn.execute(select(api_keys.c.id).where(this)).first() is None:
        raise NotFound(f"no key {key_id}")
    return bool(revoked)


def find_key(conn: Connection, key: str) -> ApiKey | None:
    """The stored key, if it is neither revoked nor expired by the database's clock.

    The look-up is by digest, which a guesser cannot steer; the digests are compared in constant time.
    """
    digest = _sha256(key)
    row = conn.execute(
        select(api_keys.c.sha256, *_COLUMNS).where(
            api_keys.c.sha256 == digest,
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()),
        )
    ).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.sha256), digest):
        return None
    return _api_key(row)


def is_valid(conn: Connection, tenant: str, key_id: str) -> bool:
    """Whether a key is neither revoked nor expired by the database's clock."""
    works = (api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()))
    ours = select(api_keys.c.id).where(api_keys.c.id == key_id, api_keys.c.tenant == tenant, *works)
    return conn.execute(ours).first() is not None


def get_key(conn: Connection, tenant: str, key_id: str) -> ApiKey:
    """A key of the tenant, whether it works or not. Raises NotFound."""
    this = (api_keys.c.id == key_id, api_keys.c.tenant == tenant)
    row = conn.execute(select(*_COLUMNS).where(*this)).one_or_none()
    if row is None:
        raise NotFound(f"no key {key_id}")
    return _api_key(row)


def list_keys(conn: Connection, tenant: str, *, limit: int | None = None, after: str | None = None) -> list[ApiKey]:
    """Keys of the tenant, revoked and expired ones too, oldest first. The next page is `after` the last id."""
    query = select(*_COLUMNS).where(api_keys.c.tenant == tenant).order_by(api_keys.c.id).limit(limit)
    if after is not None:
        query = query.where(api_keys.c.id > after)
    return [_api_key(row) for row in conn.execute(query)]


def person_behind(conn: Connection, tenant: str, key_id: str) -> PersonBehind:
    """A key without a person is a person of its own; one that is not stored here is its bare id."""
    query = select(api_keys.c.name, api_keys.c.person).where(api_keys.c.id == key_id, api_keys.c.tenant == tenant)
    row = conn.execute(query).one_or_none()
    itself = f"key:{key_id}"
    return PersonBehind(key_id, row.name if row else itself, (row.person if row else None) or itself)


def same_person(one: PersonBehind, other: PersonBehind) -> bool:
    return one.key_id == other.key_id or one.person == other.person


_COLUMNS: tuple[Any, ...] = (
    api_keys.c.id,
    api_keys.c.tenant,
    api_keys.c.name,
    api_keys.c.scopes,
    api_keys.c.person,
    api_keys.c.created_at,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    api_keys.c.daily_images,
)


def _created(
    key_id: str, name: str, scopes: tuple[str, ...], person: str | None, daily_images: int | None
) -> events.KeyCreated:
    return events.KeyCreated(key_id, name, scopes, events.Private(person) if person else None, daily_images)


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def _api_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        scopes=tuple(row.scopes),
        person=row.person,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        daily_images=row.daily_images,
    )
