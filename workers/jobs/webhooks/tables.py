"""Tables of webhooks, as SQLAlchemy Core: endpoints, their secrets, deliveries, attempts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("retry_at", _AT, nullable=False, server_default=func.now()),  # left alone until then
    Column("failures", Integer, nullable=False, server_default=text("0")),  # in a row
    Column("failing_since", _AT),
    Column("disabled_at", _AT),
    Column("disabled_for", Text),  # failing | gone | manual
    Column("deleted_at", _AT),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("webhook_id", _ID, ForeignKey("webhooks.id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("secret", Text, nullable=False),  # whsec_...: the API writes it, the clerk alone reads it
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("ends_at", _AT),  # signs until then; None: until it is rotated
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("webhook_id", _ID, ForeignKey("webhooks.id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("message_id", Text, nullable=False),  # header webhook-id: a function of event and subject
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),  # exactly what is signed and sent
    Column("state", Text, nullable=False),  # pending -> delivered | given_up; either -> pending, if a tenant asks
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_at", _AT, nullable=False, server_default=func.now()),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("settled_at", _AT),
    Column("asked_at", _AT, nullable=False, server_default=func.now()),  # given up so long after this
    Column("earlier_attempts", Integer, nullable=False, server_default=text("0")),  # before sending was asked for again
    UniqueConstraint("webhook_id", "message_id"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", BigInteger, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", _AT, nullable=False, server_default=func.now()),
    Column("status", Integer),  # of HTTP; None where nothing was answered
    Column("error", Text),  # stable code; None for a delivery
    Column("milliseconds", Integer, nullable=False),
)
