"""Table of the sessions of the console, and of links that sign in once."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, LargeBinary, Table, Text, func
from sqlalchemy.dialects.postgresql import UUID

from workers.jobs.tables import metadata

_AT = DateTime(timezone=True)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("token_sha256", LargeBinary, primary_key=True),  # of the token, which only the browser has
    Column("kind", Text, nullable=False),
    Column("key_id", UUID(as_uuid=False), ForeignKey("api_keys.id"), nullable=False),
    Column("sealed_key", Text, nullable=False),  # the API key, encrypted under the token
    Column("created_at", _AT, nullable=False, server_default=func.clock_timestamp()),
    Column("expires_at", _AT, nullable=False),
)
