"""Table of the decisions about models, as SQLAlchemy Core."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, ForeignKey, Table, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from workers.jobs.tables import metadata

model_decisions = Table(
    "model_decisions",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id")),  # whose decision; None: of the whole installation
    Column("model", Text, nullable=False),
    Column("model_revision", Text, nullable=False),
    Column("state", Text, nullable=False),  # approved | retired
    Column("tenants", ARRAY(Text)),  # who may use it; None: every tenant
    Column("expires", Date),  # the last day of an approval, in UTC
    Column("decided_by", Text, nullable=False),  # a person, or the actor of the ledger
    Column("reason", Text, nullable=False),  # for people
    Column("decided_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("tenant", "model", "model_revision", postgresql_nulls_not_distinct=True),
)
