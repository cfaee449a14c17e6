"""Tables of catalogues, as SQLAlchemy Core. A slot keeps digests of what its picture was made of, never the text."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

catalogues = Table(
    "catalogues",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),  # of the file; another spec is the next one
    Column("spec", JSONB, nullable=False),  # the file, as its schema reads it
    Column("spec_sha256", Text, nullable=False),
    Column("key_id", _ID, nullable=False),  # who sent this version
    Column("runs", Integer, nullable=False, server_default="0"),  # number of its last run
    Column("last_rows", Integer),  # of the feed of its last run; None: there was none
    Column("paused_for", Text),  # safeguards | rollback; None: it goes on
    Column("paused_figures", JSONB(none_as_null=True)),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("updated_at", _AT, nullable=False, server_default=func.now()),
    UniqueConstraint("tenant", "name"),
)

catalogue_plans = Table(
    "catalogue_plans",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), nullable=False),
    Column("state", Text, nullable=False),  # planning | ready | failed | applied
    Column("version", Integer, nullable=False),  # of the catalogue that it is made of
    Column("spec", JSONB, nullable=False),  # of that version
    Column("after_run", Integer, nullable=False),  # the catalogue's last run when it was begun
    Column("key_id", _ID, nullable=False),
    Column("pictures", JSONB, nullable=False),  # {what cells say: id of an input}, as sent along
    Column("feed_key", Text),  # of the feed in the object store; None: to be fetched, or deleted
    Column("feed_sha256", Text),
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # the fencing token
    Column("lease_until", _AT),
    Column("digest", Text),  # of everything that an apply would do
    Column("base", Text),  # digest of model, options and template
    Column("feed_rows", Integer),
    Column("counts", JSONB(none_as_null=True)),  # by kind
    Column("causes", JSONB(none_as_null=True)),  # by cause, of each kind
    Column("safeguards", JSONB(none_as_null=True)),  # what stops it until a person confirms
    Column("forecast", JSONB(none_as_null=True)),
    Column("errors", JSONB(none_as_null=True)),  # why it failed
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("ready_at", _AT),
    Column("expires_at", _AT),
)

catalogue_changes = Table(
    "catalogue_changes",
    metadata,
    Column("plan_id", _ID, ForeignKey("catalogue_plans.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("view", SmallInteger, primary_key=True),  # 1-based number of the variant
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),  # create | change | retire | missing | blocked
    Column("cause", Text, nullable=False),  # the first part that differs, or why it is blocked
    Column("row", Integer),  # 1-based data row of the feed
    Column("line", Integer),
    Column("detail", Text, nullable=False, server_default=""),
    Column("picture_digest", Text),
    Column("delivery_digest", Text),
    Column("parts", JSONB(none_as_null=True)),  # {part: short digest}
    Column("input_id", _ID),
    Column("taken", Boolean, nullable=False, server_default=text("false")),  # by the run that applied the plan
)

catalogue_slots = Table(
    "catalogue_slots",
    metadata,
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("view", SmallInteger, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("asset_id", _ID),  # the live picture; None: none yet
    Column("item_id", _ID),  # that put it here, and names its files: another than the asset's where it was reused
    Column("run", Integer, nullable=False),  # the run that it comes from, or was tried in
    Column("picture_digest", Text),  # of the live picture
    Column("delivery_digest", Text),
    Column("parts", JSONB(none_as_null=True)),
    Column("tried_digest", Text),  # of the last picture that was held, refused or failed
    Column("tried_item", _ID),
    Column("retired_at", _AT),  # a person took it out, or a mark of the feed, which takes the picture as well
)

catalogue_runs = Table(
    "catalogue_runs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # apply | rollback
    Column("state", Text, nullable=False),  # making | holding | finished
    Column("plan_id", _ID),
    Column("request_id", _ID),  # None: it makes no picture
    Column("to_run", Integer),  # of a rollback: the run whose state is live again; 0: before the first
    Column("key_id", _ID, nullable=False),
    Column("slots", Integer, nullable=False),  # pictures that it makes, or slots that it flips back
    Column("flipped", Integer, nullable=False, server_default="0"),
    Column("counts", JSONB(none_as_null=True)),  # its items by state, once its request is over
    Column("started_at", _AT, nullable=False, server_default=func.now()),
    Column("ended_at", _AT),
    UniqueConstraint("catalogue_id", "number"),
)

catalogue_flips = Table(
    "catalogue_flips",
    metadata,
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("view", SmallInteger, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("asset_id", _ID),  # live from then on; None: none
    Column("item_id", _ID),
    Column("picture_digest", Text),
    Column("delivery_digest", Text),
    Column("parts", JSONB(none_as_null=True)),
    Column("flipped_at", _AT, nullable=False, server_default=func.now()),
)

catalogue_sources = Table(
    "catalogue_sources",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("url_sha256", Text, primary_key=True),
    Column("etag", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the bytes that were there
    Column("input_id", _ID, nullable=False),
    Column("seen_at", _AT, nullable=False, server_default=func.now()),
)

catalogue_schedules = Table(
    "catalogue_schedules",
    metadata,
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("version", Integer, nullable=False),  # of the file that a person let run by itself
    Column("key_id", _ID, nullable=False),  # in whose name it runs
    Column("timetable", JSONB, nullable=False),  # as the file says
    Column("due_at", _AT, nullable=False),  # the next time of the timetable
    Column("begin_at", _AT, nullable=False),  # that time with its jitter, or later where there was no room
    Column("started_at", _AT, nullable=False, server_default=func.now()),
)

catalogue_ticks = Table(
    "catalogue_ticks",
    metadata,
    Column("catalogue_id", _ID, ForeignKey("catalogues.id"), primary_key=True),
    Column("due_at", _AT, primary_key=True),  # so each due time is taken once
    Column("tenant", Text, nullable=False),
    Column("state", Text, nullable=False),  # begun | ended
    Column("plan_id", _ID, ForeignKey("catalogue_plans.id")),  # None: it was skipped
    Column("missed", Integer, nullable=False, server_default=text("0")),  # due times before it that nobody took
    Column("outcome", Text),  # applied | nothing | asked | failed | refused | overlapped
    Column("reason", Text, nullable=False, server_default=""),  # a code
    Column("run", Integer),  # of the catalogue, where it was applied
    Column("lease_until", _AT),  # of the process that applies it
    Column("begun_at", _AT, nullable=False, server_default=func.now()),
    Column("ended_at", _AT),
)
