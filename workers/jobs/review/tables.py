"""Tables of reviews that are no record: claims, which end by themselves."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text
from sqlalchemy.dialects.postgresql import UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)

review_claims = Table(
    "review_claims",
    metadata,
    Column("item_id", _ID, ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("key_id", _ID, nullable=False),  # of the reviewer
    Column("until", DateTime(timezone=True), nullable=False),
)
