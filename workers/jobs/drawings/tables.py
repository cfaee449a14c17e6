"""Table of kept drawings: one row for each object below drawings/ that files may be made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB, UUID

from workers.jobs.tables import metadata

_ID, _AT = UUID(as_uuid=False), DateTime(timezone=True)

drawings = Table(
    "drawings",
    metadata,
    Column("item_id", _ID, ForeignKey("items.id"), primary_key=True),  # that it was drawn for
    Column("tenant", Text, nullable=False),
    Column("asset_id", _ID, nullable=False),  # of that item, once it is released
    Column("key", Text, nullable=False, unique=True),  # in the object store, under drawings/
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("position", JSONB, nullable=False),  # where it came off: batch_size, batch_position, device, receipt
    Column("product", JSONB(none_as_null=True)),  # of background tasks
    Column("lock", JSONB(none_as_null=True)),  # of a product that stays as it was
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("used_at", _AT, nullable=False, server_default=func.now()),  # last, for another request
)
