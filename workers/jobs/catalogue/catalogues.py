"""Catalogues: the file as it was last sent, and whether a person is asked before anything of it is applied.

    put      a new catalogue, or the next version of one; the same file again changes nothing     caller: api
    pause    a safeguard or a rollback asks for a person                                              caller: api
    go_on    a person decided, or the feed was mended                                                 caller: api
    retire   goods are listed no longer                                                           caller: api

Each is one transaction with its event. Killed before the commit, nothing happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from policy import events
from policy.events import Private
from policy.ledger.append import append
from workers.errors import LimitExceeded, NotFound
from workers.jobs.catalogue.tables import catalogue_slots, catalogues
from workers.jobs.delivery import catalogue_deliveries
from workers.jobs.types import new_id
from workers.jobs.webhooks.deliveries import Notification, notify

MAX_CATALOGUES = 200  # of a tenant
SAFEGUARDS, ROLLBACK = "safeguards", "rollback"


def put(conn: Connection, tenant: str, spec: Mapping[str, Any], *, key_id: str) -> Row[Any]:
    """The catalogue of the spec's name, with this spec, locked. Raises LimitExceeded."""
    name, digest = str(spec["name"]), _digest(spec)
    row = locked(conn, tenant, name)
    if row is not None and row.spec_sha256 == digest:
        return row
    values: dict[str, Any] = {"spec": dict(spec), "spec_sha256": digest, "key_id": key_id}
    if row is None:
        counted = select(func.count()).where(catalogues.c.tenant == tenant)
        if conn.execute(counted).scalar_one() >= MAX_CATALOGUES:
            raise LimitExceeded(f"a tenant has at most {MAX_CATALOGUES} catalogues")
        new = catalogues.insert().values(id=new_id(), tenant=tenant, name=name, version=1, **values)
        changed = conn.execute(new.returning(catalogues)).one()
    else:
        next_version = catalogues.update().where(catalogues.c.id == row.id)
        values |= {"version": row.version + 1, "updated_at": func.now()}
        changed = conn.execute(next_version.values(**values).returning(catalogues)).one()
    event = events.CatalogueChanged(changed.id, Private(name), changed.version, digest)
    append(conn, tenant=tenant, actor=f"key:{key_id}", events=[event])
    return changed


def locked(conn: Connection, tenant: str, name: str) -> Row[Any] | None:
    """The catalogue's row, locked: of a catalogue, one thing happens at a time. None: there is none of that name."""
    mine = select(catalogues).where(catalogues.c.tenant == tenant, catalogues.c.name == name)
    return conn.execute(mine.with_for_update()).one_or_none()


def demand(conn: Connection, tenant: str, name: str) -> Row[Any]:
    """The same. Raises NotFound."""
    row = locked(conn, tenant, name)
    if row is None:
        raise NotFound(f"no catalogue {name}")
    return row


def pause(conn: Connection, row: Row[Any], reason: str, figures: Mapping[str, Any], *, actor: str) -> None:
    """Asks for a person, with an event and a message for each time."""
    conn.execute(
        catalogues.update()
        .where(catalogues.c.id == row.id)
        .values(paused_for=reason, paused_figures=dict(figures), updated_at=func.now())
    )
    append(conn, tenant=row.tenant, actor=actor, events=[events.CataloguePaused(row.id, reason, dict(figures))])
    content = {"catalogue": row.name, "reason": reason, "figures": dict(figures)}
    notify(conn, row.tenant, "catalogue.paused", [Notification(new_id(), content)])


def go_on(conn: Connection, catalogue_id: str) -> None:
    """A person decided, or a later plan has no safeguard: the apply, start or plan says so with its own event."""
    conn.execute(
        catalogues.update().where(catalogues.c.id == catalogue_id).values(paused_for=None, paused_figures=None)
    )


def retire(conn: Connection, row: Row[Any], keys: Sequence[str], *, actor: str) -> int:
    """How many slots of these keys are listed no longer. A row of the feed brings them back with its next change."""
    slots = catalogue_slots
    mine = slots.c.catalogue_id == row.id, slots.c.key.in_(list(keys)), slots.c.retired_at.is_(None)
    retired = conn.execute(slots.update().where(*mine).values(retired_at=func.clock_timestamp())).rowcount
    if retired:
        append(conn, tenant=row.tenant, actor=actor, events=[events.SlotsRetired(row.id, retired)])
        catalogue_deliveries.wake(conn, row.id)
    return retired


def _digest(spec: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
