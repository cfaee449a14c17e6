"""Tables of the ledger, in a schema of their own, as SQLAlchemy Core.

    entries      what happened: canonical bytes, and columns to find them by
    private      text whose salted digest the bytes hold; the only thing that may one day be erased
    pending      entries committed but not sealed; a trigger fills it, the sealer empties it
    sequence     leaf index -> entry, gapless, in sealing order
    nodes        roots of complete subtrees of 256, 256**2, ... leaves, so that sealing reads little
    checkpoints  signed tree heads
    seal_refusal why the sealer refuses, if it does
    cosignatures what witnesses signed under them
    documents    rule sets, model cards and verifiers, by the digest that events name them with

The migration holds the DDL with its triggers and grants. No foreign keys: the ledger outlives the jobs
it describes, and a missing row must stay visible as missing.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Identity,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

metadata = MetaData(schema="audit")
_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

entries = Table(
    "entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),  # order of insertion, with gaps
    Column("event_id", _ID, nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("subjects", ARRAY(Text), nullable=False),  # "item:<id>", ...; GIN index
    Column("recorded_at", _AT, nullable=False),
    Column("body", LargeBinary, nullable=False),  # RFC 8785 bytes, exactly what is hashed
    Column("leaf", LargeBinary, Computed(r"sha256('\x00'::bytea || body)", persisted=True), nullable=False),
)

private = Table(
    "private",
    metadata,
    Column("event_id", _ID, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("value", Text, nullable=False),
)

pending = Table("pending", metadata, Column("entry_id", BigInteger, primary_key=True))

sequence = Table(
    "sequence",
    metadata,
    Column("index", BigInteger, primary_key=True),  # 0-based leaf index
    Column("entry_id", BigInteger, nullable=False, unique=True),
    Column("event_id", _ID, nullable=False),  # a deleted entry can still be named
    Column("leaf", LargeBinary, nullable=False),  # as sealed: an edited entry can still be pointed at
)

nodes = Table(
    "nodes",
    metadata,
    Column("level", SmallInteger, primary_key=True),  # over 256**level leaves; level 0 is `sequence`
    Column("index", BigInteger, primary_key=True),  # counted within the level
    Column("hash", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),  # C2SP signed note
    Column("sealed_at", _AT, nullable=False),  # database clock; not in the signed note, so never printed as proven
)

seal_refusal = Table(
    "seal_refusal",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),  # one row at most
    Column("refused_at", _AT),
    Column("reason", Text),  # of the sealer's last round; None: it seals
)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),  # name of its key
    Column("line", Text, nullable=False),  # C2SP cosignature, as it stands in a note
    Column("received_at", _AT, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("sha256", Text, Computed("encode(sha256(body), 'hex')", persisted=True), primary_key=True),
    Column("kind", Text, nullable=False),  # policy | card | files | verifier
    Column("name", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("first_seen", _AT, nullable=False),
)
