"""Decisions about models: approve and retire, each with its event in one transaction, and the decisions that stand.

A decision is about one revision: other weights under the same name are undecided. The latest one stands, the ledger
keeps all. Those of the installation are made by its operator (`presswork models`), those of a tenant by its admins. A
tenant's decision narrows the installation's, and never widens it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.ledger.append import SYSTEM_TENANT, append
from workers.jobs.models.tables import model_decisions
from workers.jobs.types import new_id
from workers.states import ModelState


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDecision:
    """What somebody decided about one revision of a model."""

    model: str
    model_revision: str
    state: ModelState
    decided_by: str
    reason: str = ""
    tenant: str | None = None  # whose decision; None: of the whole installation
    tenants: tuple[str, ...] | None = None  # who may use it; None: every tenant
    expires: date | None = None  # the last day, in UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDecision(ModelDecision):
    """A decision that no later one replaced."""

    decided_at: datetime


def decide(conn: Connection, decision: ModelDecision, *, actor: str) -> StandingDecision:
    """The decision, which stands from this commit on. Two at once: the later commit stands, the ledger has both."""
    values = asdict(decision) | {"tenants": None if decision.tenants is None else list(decision.tenants)}
    new = {**values, "id": new_id(), "decided_at": func.clock_timestamp()}
    statement = insert(model_decisions).values(new)
    kept = ("tenant", "model", "model_revision")
    changed = {name: statement.excluded[name] for name in new if name not in (*kept, "id")}
    decided_at = conn.execute(
        statement.on_conflict_do_update(index_elements=kept, set_=changed).returning(model_decisions.c.decided_at)
    ).scalar_one()
    append(conn, tenant=decision.tenant or SYSTEM_TENANT, actor=actor, events=[_event(decision)])
    return StandingDecision(**asdict(decision), decided_at=decided_at)


def standing_decisions(conn: Connection, tenant: str | None = None) -> list[StandingDecision]:
    """Those of the installation, and with `tenant` those of that tenant."""
    ours = or_(model_decisions.c.tenant.is_(None), model_decisions.c.tenant == tenant)
    rows = conn.execute(select(model_decisions).where(ours).order_by(model_decisions.c.model))
    return [
        StandingDecision(
            model=row.model,
            model_revision=row.model_revision,
            state=ModelState(row.state),
            decided_by=row.decided_by,
            reason=row.reason,
            tenant=row.tenant,
            tenants=None if row.tenants is None else tuple(row.tenants),
            expires=row.expires,
            decided_at=row.decided_at,
        )
        for row in rows
    ]


def _event(decision: ModelDecision) -> events.Event:
    person, reason = events.Private(decision.decided_by), events.Private(decision.reason)
    if decision.state is ModelState.RETIRED:
        return events.ModelRetired(decision.model, decision.model_revision, person, reason)
    expires = decision.expires.isoformat() if decision.expires else None
    return events.ModelApproved(
        decision.model, decision.model_revision, person, reason, tenants=decision.tenants, expires=expires
    )
