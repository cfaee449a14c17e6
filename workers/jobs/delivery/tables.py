"""Tables of delivery, as SQLAlchemy Core: targets, their secrets, deliveries of requests and catalogues, files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, Table, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

delivery_targets = Table(
    "delivery_targets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),  # what campaigns call it
    Column("endpoint", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("bucket", Text, nullable=False),
    Column("prefix", Text, nullable=False),  # "" or a path that ends in /
    Column("access_key_id", Text, nullable=False),
    Column("on_recall", Text, nullable=False),  # withdraw | list
    Column("state", Text, nullable=False),  # checking -> ready | refused; either -> checking, if a tenant asks
    Column("reason", Text),  # stable code of why it is refused
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("checked_at", _AT),
    Column("deleted_at", _AT),
)

delivery_secrets = Table(
    "delivery_secrets",
    metadata,
    Column("target_id", _ID, ForeignKey("delivery_targets.id"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("secret", Text, nullable=False),  # the API writes it, the clerk alone reads it
)

file_deliveries = Table(
    "file_deliveries",
    metadata,
    Column("request_id", _ID, ForeignKey("requests.id", deferrable=True, initially="DEFERRED"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("target_id", _ID, ForeignKey("delivery_targets.id"), nullable=False),
    Column("prefix", Text, nullable=False),  # of all its keys, that of the target before it
    Column("paused_for", Text),  # stable code; None: it goes on
    Column("detail", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # in a row
    Column("due_at", _AT),  # None: nothing is left to do
    Column("manifest_at", _AT),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
)

delivered_files = Table(
    "delivered_files",
    metadata,
    Column("item_id", _ID, ForeignKey("items.id"), primary_key=True),
    Column("rendition", Text, primary_key=True),
    Column("asset_id", _ID, ForeignKey("assets.id"), nullable=False),  # of another request, where it was reused
    Column("request_id", _ID, ForeignKey("file_deliveries.request_id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False),  # in the tenant's bucket
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="delivered"),  # delivered -> withdrawn | listed
    Column("delivered_at", _AT, nullable=False, server_default=func.now()),
)

catalogue_deliveries = Table(
    "catalogue_deliveries",
    metadata,
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("target_id", _ID, ForeignKey("delivery_targets.id"), nullable=False),
    Column("prefix", Text, nullable=False),  # of all its keys, that of the target before it
    Column("asked", BigInteger, nullable=False, server_default=text("1")),  # changes of what is live
    Column("lease_until", _AT),
    Column("paused_for", Text),  # stable code; None: it goes on
    Column("detail", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # in a row
    Column("due_at", _AT),  # None: nothing is left to do
    Column("manifest_at", _AT),
    Column("manifest_round", BigInteger),  # value of `asked` that the manifest shows
    Column("run", Integer),  # the last one when the manifest was written
    Column("files", Integer, nullable=False, server_default=text("0")),  # that the manifest names
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    UniqueConstraint("target_id", "prefix"),
)

catalogue_objects = Table(
    "catalogue_objects",
    metadata,
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), primary_key=True),
    Column("key", Text, primary_key=True),  # in the tenant's bucket
    Column("tenant", Text, nullable=False),
    Column("asset_id", _ID, ForeignKey("assets.id"), nullable=False),
    Column("item_id", _ID, nullable=False),
    Column("rendition", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("round", BigInteger, nullable=False),  # value of `asked` when it was last among what is live
    Column("unlisted_at", _AT),  # since when no manifest names it; None: the last one does
    Column("delivered_at", _AT, nullable=False, server_default=func.now()),
)
