"""Tables of inputs, as SQLAlchemy Core: pictures that tenants send in, sources of such, what is made of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

inputs = Table(
    "inputs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("key_id", _ID, nullable=False),
    Column("state", Text, nullable=False),  # of workers.states.InputState
    Column("origin", Text, nullable=False),  # upload | address | archive
    Column("name", Text, nullable=False),  # of the file, as its sender calls it; "" for none, and once erased
    Column("address", Text, nullable=False),  # from which it is fetched; "" for none, and once erased
    Column("consent", Text, nullable=False),  # where the people shown agreed, in the sender's words; "" for none
    Column("object", Text, unique=True),  # of the upload, under inbox/
    Column("sent_sha256", Text),  # of the file as it was sent; None until it is fetched
    Column("sent_bytes", BigInteger),
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # claims so far: the fencing token
    Column("lease_until", _AT),
    Column("media_type", Text),  # as it was sent
    Column("width", Integer),  # upright
    Column("height", Integer),
    Column("transparent", Boolean),
    Column("key", Text, unique=True),  # of the sanitised picture, under inputs/
    Column("sha256", Text),  # of that
    Column("original_key", Text, unique=True),  # of the file as it was sent, where it carries a manifest
    Column("marks", JSONB(none_as_null=True)),  # what it carried
    Column("verdict", JSONB(none_as_null=True)),  # Verdict.to_json()
    Column("reason", Text),  # stable code, for failed
    Column("detail", Text, nullable=False, server_default=text("''")),  # the reason in words
    Column("created_at", _AT, nullable=False, server_default=func.clock_timestamp()),
    Column("settled_at", _AT),
    Column("used_at", _AT),  # when an item last asked for it
    Column("withdrawn_at", _AT),
)

source_buckets = Table(
    "source_buckets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("bucket", Text, nullable=False),  # what s3:// addresses call it; one source of a tenant
    Column("prefix", Text, nullable=False),  # of what may be read: "" or a path that ends in /
    Column("access_key_id", Text, nullable=False),
    Column("created_at", _AT, nullable=False, server_default=func.clock_timestamp()),
    Column("deleted_at", _AT),
)

source_secrets = Table(
    "source_secrets",
    metadata,
    Column("source_id", _ID, ForeignKey("source_buckets.id"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("secret", Text, nullable=False),  # read by api (feeds, and their pictures) and identify (inputs)
)

item_inputs = Table(
    "item_inputs",
    metadata,
    Column("item_id", _ID, ForeignKey("items.id"), primary_key=True),
    Column("role", Text, primary_key=True),  # of workers.recipes.ROLES
    Column("input_id", _ID, ForeignKey("inputs.id"), nullable=False),
    Column("tenant", Text, nullable=False),
)
