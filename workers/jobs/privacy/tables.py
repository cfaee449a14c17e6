"""Tables of erasures and legal holds; on the same metadata as the job tables they speak of.

legal_holds      what must not be erased, by whom and since when
erasures         orders to erase          erasure_targets  what an order still has to erase
removals         objects given up for deletion from the store
sweeps           how far retention has looked through the store
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("request_id", _ID),  # only this request
    Column("item_id", _ID),  # only this item, and what its request says of all its items
    Column("since", _AT),  # only what was there at some time from then on
    Column("until", _AT),  # and before then
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", _AT, nullable=False, server_default=func.clock_timestamp()),
    Column("lifted_at", _AT),
    Column("lifted_by", Text),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("scope", JSONB, nullable=False),  # what the event says of it
    Column("sought", Text),  # the text to look for, until it was found: it may itself name a person
    Column("state", Text, nullable=False),  # ordered -> running (targets are known) -> finished
    Column("ordered_by", Text, nullable=False),
    Column("ordered_at", _AT, nullable=False, server_default=func.clock_timestamp()),
    Column("look_at", _AT, nullable=False, server_default=func.clock_timestamp()),  # not before: what is left waits
    Column("finished_at", _AT),
    Column("erased", JSONB, nullable=False, server_default="{}"),  # counts, by where it lay
)

erasure_targets = Table(
    "erasure_targets",
    metadata,
    Column("erasure_id", _ID, ForeignKey("erasures.id"), primary_key=True),
    Column("kind", Text, primary_key=True),  # item | request | event | reply | pictures
    Column("target", Text, primary_key=True),  # its id, or the idempotency key
    Column("tenant", Text, nullable=False),
)

removals = Table(
    "removals",
    metadata,
    Column("object_key", Text, primary_key=True),  # given up: an event says so, the bytes follow
    Column("tenant", Text, nullable=False),
    Column("erasure_id", _ID, nullable=False),
    Column("created_at", _AT, nullable=False, server_default=func.clock_timestamp()),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("place", Text, primary_key=True),  # a prefix of the bucket, or "texts"
    Column("after", Text, nullable=False),  # the last key that was looked at; "" begins again
    Column("rested_at", _AT),  # when the end was reached
)
