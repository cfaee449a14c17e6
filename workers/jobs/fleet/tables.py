"""Tables of the fleet: gpu workers, the recipes that they cannot make, and devices."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Integer, Table, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from workers.jobs.tables import metadata

_ID, _AT = UUID(as_uuid=False), DateTime(timezone=True)

gpu_workers = Table(
    "gpu_workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("queues", ARRAY(Text), nullable=False),
    Column("threads", Integer, nullable=False),  # batches that it takes at the same time
    Column("device", Text, nullable=False),
    Column("started_at", _AT, nullable=False, server_default=func.now()),
    Column("seen_at", _AT, nullable=False, server_default=func.now()),  # its last heartbeat
    Column("stopped", Text),  # why it takes nothing now; None: it takes batches
    Column("device_class", Text, nullable=False, server_default=""),  # the name that its device gives itself
)

worker_refusals = Table(
    "worker_refusals",
    metadata,
    Column("worker", Text, ForeignKey("gpu_workers.name", ondelete="CASCADE"), primary_key=True),
    Column("recipe_id", Text, ForeignKey("recipes.id"), primary_key=True),
    Column("reason", Text, nullable=False),  # stable code, as an item's
    Column("refused_at", _AT, nullable=False, server_default=func.now()),  # for the first time
    Column("until", _AT),  # None: as long as the process lives
)

devices = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("errors", Integer, nullable=False),  # in a row
    Column("batch_ids", ARRAY(_ID), nullable=False),  # batches that it failed with meanwhile
    Column("failed_at", _AT),
    Column("out_at", _AT),  # taken out of use; a person readmits it
)
