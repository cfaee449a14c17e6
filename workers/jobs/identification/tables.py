"""Tables of identification, as SQLAlchemy Core: fingerprints of released pictures, and questions about others."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("asset_id", _ID, ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("whole", LargeBinary, nullable=False),  # policy.fingerprints: 32 bytes
    Column("crops", LargeBinary, nullable=False),  # five of them
    Column("quality", SmallInteger, nullable=False),  # 0..100, of the hash
    Column("features", Integer, nullable=False),  # how many places local features found
    Column("identifiable", Boolean, nullable=False),  # enough of both to be found by looks, after cropping too
    Column("codes", LargeBinary, nullable=False),  # of the strongest of them, 8 bytes each
    Column(
        "thumbnail", LargeBinary, nullable=False
    ),  # of a plain picture: policy.identify.low_texture; empty for others
    Column("indexed_at", _AT, nullable=False, server_default=func.clock_timestamp()),
)

unindexed = Table(
    "unindexed",
    metadata,
    Column("asset_id", _ID, ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("not_before", _AT, nullable=False, server_default=func.clock_timestamp()),
)

identifications = Table(
    "identifications",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),  # who asked
    Column("key_id", _ID, nullable=False),
    Column("state", Text, nullable=False),  # waiting -> running -> done | failed; running, lease over -> running again
    Column("object", Text, nullable=False, unique=True),  # in the object store, under inbox/
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # claims so far: the fencing token
    Column("lease_until", _AT),
    Column("answer", JSONB(none_as_null=True)),
    Column("reason", Text),  # stable code, for failed
    Column("created_at", _AT, nullable=False, server_default=func.clock_timestamp()),
    Column("settled_at", _AT),
    # digests of the networks an anonymous caller asked from, the narrowest first; emptied when it is settled
    Column("asked_from", ARRAY(Text), nullable=False, server_default=text("'{}'")),
)
