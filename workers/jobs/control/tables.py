"""Tables of control over requests: pilots, decisions about them, and the sums of breakers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

pilots = Table(
    "pilots",
    metadata,
    Column("request_id", _ID, ForeignKey("requests.id"), primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("images", Integer, nullable=False),  # that count for the proof
    Column("max_rejected", Integer, nullable=False),
    Column("sampled", Integer, nullable=False),  # each stratum's share, rounded up
    Column("strata", Integer, nullable=False),
    Column("stratify_by", ARRAY(Integer), nullable=False, server_default="{}"),  # 0-based places in carried_columns
    Column("four_eyes", Boolean, nullable=False, server_default=false()),
)

pilot_decisions = Table(
    "pilot_decisions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("request_id", _ID, ForeignKey("pilots.request_id"), nullable=False),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("key_id", _ID, ForeignKey("api_keys.id"), nullable=False),
    Column("decision", Text, nullable=False),
    Column("digest", Text, nullable=False),  # of the sheet that was looked at
    Column("images", Integer, nullable=False),
    Column("rejected", ARRAY(_ID), nullable=False, server_default="{}"),  # by the person
    Column("bad", Integer, nullable=False),  # those, and what was not released anyway
    Column("created_at", _AT, nullable=False, server_default=func.now()),
)

breakers = Table(
    "breakers",
    metadata,
    Column("request_id", _ID, ForeignKey("requests.id"), primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("rows", Integer, nullable=False),  # that are to be made
    Column("threshold", Double, nullable=False),  # of each sum
    *(
        column
        for test in ("policy", "failures", "rejections")
        for column in (
            Column(f"{test}_sum", Double, nullable=False, server_default="0"),
            Column(f"{test}_rows", Integer, nullable=False, server_default="0"),
            Column(f"{test}_bad", Integer, nullable=False, server_default="0"),
        )
    ),
    Column("since", _AT, nullable=False, server_default=func.now()),  # the sums began at zero
)

breaker_notes = Table(
    "breaker_notes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("request_id", _ID, ForeignKey("breakers.request_id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("item_id", _ID),
    Column("kind", Text, nullable=False),  # settled | reviewed | restart
)
