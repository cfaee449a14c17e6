"""Tables of recalls, as SQLAlchemy Core: the orders, and the assets each covers."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, Table, Text, false, func
from sqlalchemy.dialects.postgresql import JSONB, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

recalls = Table(
    "recalls",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("criteria", JSONB, nullable=False),  # Criteria.to_json()
    Column("reason_code", Text, nullable=False),
    Column("reason", Text, nullable=False),  # for people; the ledger holds its digest
    Column("ordered_by", Text, nullable=False),  # the actor of the ledger
    Column("assets", Integer, nullable=False),  # members, fixed with the order
    Column("ordered_at", _AT, nullable=False, server_default=func.now()),
    Column("finished_at", _AT),  # every member's objects are out of reach
)

recall_assets = Table(
    "recall_assets",
    metadata,
    Column("asset_id", _ID, ForeignKey("assets.id"), primary_key=True),  # at most one recall, for ever
    Column("recall_id", _ID, ForeignKey("recalls.id", deferrable=True, initially="DEFERRED"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("state", Text, nullable=False),  # ordered -> recalled -> moved
    Column("recalled_at", _AT),
    Column("moved_at", _AT),
    Column("missing", Boolean, nullable=False, server_default=false()),  # an object lay in neither place
)
