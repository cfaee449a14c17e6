"""Tables of jobs, as SQLAlchemy Core: workers/jobs/__init__.py says who writes them, the migrations hold the DDL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData()
_ID, _AT = UUID(as_uuid=False), DateTime(timezone=True)
_GPU_SECONDS, _JOULES, _MONEY = Numeric(14, 6), Numeric(18, 3), Numeric(20, 9)
_GATE = "CASE phase WHEN 'running' THEN 'open' WHEN 'pilot' THEN 'sample' ELSE 'closed' END"

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("weight", Integer, nullable=False),  # turns per turn of a tenant of weight 1
    Column("created_at", _AT, nullable=False, server_default=func.now()),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),  # of the whole key; the key itself is never stored
    Column("scopes", ARRAY(Text), nullable=False),
    Column("person", Text),  # whose key it is: two keys of one person are one person; None: a person of its own
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("expires_at", _AT),
    Column("revoked_at", _AT),
    Column("daily_images", BigInteger),  # of an agent's key: how many images may be sent with it in a day of UTC
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("key_id", _ID, ForeignKey("api_keys.id")),  # neither key nor request: of the whole tenant
    Column("request_id", _ID, ForeignKey("requests.id", deferrable=True, initially="DEFERRED")),
    Column("told_percent", SmallInteger, nullable=False, server_default="0"),  # the last threshold that was told
    Column("images", BigInteger),  # None: no limit, here and of the two below
    Column("images_reserved", BigInteger, nullable=False, server_default="0"),  # of open items
    Column("images_made", BigInteger, nullable=False, server_default="0"),  # released or held
    *(Column("gpu_seconds", _GPU_SECONDS), Column("cost", _MONEY)),
    Column("gpu_seconds_reserved", _GPU_SECONDS, nullable=False, server_default="0"),  # P90 of open items
    Column("gpu_seconds_made", _GPU_SECONDS, nullable=False, server_default="0"),
    Column("cost_reserved", _MONEY, nullable=False, server_default="0"),  # P90 of open items
    Column("cost_made", _MONEY, nullable=False, server_default="0"),
    Column("currency", Text),  # of `cost`, and what the two above are counted in
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    UniqueConstraint("tenant", "key_id", "request_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),  # SHA-256 of method, path and body
    Column("status", Integer, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("erased_at", _AT),  # body and fingerprint were erased; the key stays taken
)

requests = Table(
    "requests",
    metadata,
    Column("id", _ID, primary_key=True),  # UUIDv7: ordered by creation
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("kind", Text, nullable=False),  # single | campaign | batch
    Column("name", Text, nullable=False),
    Column("template", Text, nullable=False),  # the prompt itself for kind single
    Column("model", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("item_count", Integer, nullable=False),
    Column("key_id", _ID, nullable=False),
    Column("metadata", JSONB, nullable=False),  # the tenant's own labels, never read by us
    Column("renditions", ARRAY(Text), nullable=False),  # files of each image, the original first
    Column("publish_prompt", Boolean, nullable=False),  # in the public marks of each file
    Column("carried_columns", ARRAY(Text), nullable=False),  # names of the spreadsheet's columns, in its order
    Column("channels", JSONB, nullable=False),  # Channel.to_json() of each further file of an image
    Column("file_templates", JSONB, nullable=False),  # of file names, by channel or rendition; "" is for all others
    *(Column("created_at", _AT, nullable=False, server_default=func.now()), Column("cancelled_at", _AT)),
    Column("origin", JSONB(none_as_null=True)),  # what is stated of pictures that were made elsewhere
    Column("queue", Text, nullable=False),  # of all its items that are drawn
    Column("of_drawings", Boolean, nullable=False, server_default=false()),  # some are made of kept drawings
    Column("phase", Text, nullable=False, server_default="running"),
    Column("paused_for", Text),
    Column("paused_from", Text),  # the phase in which it goes on
    Column("paused_figures", JSONB(none_as_null=True)),  # what the reason was measured by
    *(Column("deadline", _AT), Column("at_deadline", Text, nullable=False, server_default="pause")),  # pause | expire
    Column("ended_at", _AT),
    Column("parent_id", _ID, ForeignKey("requests.id")),  # the earlier request whose rows it corrects
    Column("round", SmallInteger, nullable=False, server_default="0"),  # how often its failed items were retried
    Column("budgets", ARRAY(_ID), nullable=False, server_default="{}"),  # in which each of its images was reserved
    Column("gate", Text, Computed(_GATE, persisted=True), nullable=False),  # which of its items may be planned
    Column("erased_at", _AT),  # name, template, metadata, carried_columns, channels and file_templates were erased
)

recipes = Table(
    "recipes",
    metadata,
    Column("id", Text, primary_key=True),  # Recipe.id
    Column("recipe", JSONB, nullable=False),  # Recipe.to_json()
)

batches = Table(
    "batches",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("recipe_id", Text, ForeignKey("recipes.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),  # claims so far: the fencing token
    Column("given_back", Integer, nullable=False),  # claims that do not count against it
    Column("claims_allowed", Integer, nullable=False),
    Column("deaths", Integer, nullable=False, server_default="0"),  # claims in a row whose worker died on it
    Column("lost", Integer, nullable=False, server_default="0"),  # claims whose worker died, all together
    Column("device_errors", Integer, nullable=False, server_default="0"),
    Column("blamed", ARRAY(Text), nullable=False, server_default="{}"),  # workers that it met an unexpected error on
    Column("parent_id", _ID),  # the abandoned batch it was split from
    Column("lease_until", _AT, nullable=False),  # database clock; DISPATCHED: when to send again
    Column("worker", Text),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("finished_at", _AT),
    Column("gpu_seconds", _GPU_SECONDS),  # that its settled attempt held the device; None: not measured
    Column("energy_joules", _JOULES),  # None: the device reports none
    Column("device_class", Text),  # the name that the device gives itself
    Column("drawn", Integer),  # images of the run that `work_id` was measured by
    Column("work_id", Text),  # Recipe.work_id; None: not drawn at once, so no measure of others
)

items = Table(
    "items",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("request_id", _ID, ForeignKey("requests.id", deferrable=True, initially="DEFERRED"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("row", Integer, nullable=False),  # 1-based data row of the spreadsheet
    Column("custom_id", Text, nullable=False),
    Column("variant", Integer, nullable=False),  # 0-based
    Column("prompt", Text, nullable=False),
    Column("negative_prompt", Text, nullable=False),
    Column("carried", ARRAY(Text), nullable=False),  # cells of its row as they were sent, one for each carried column
    Column("file_suffix", Text, nullable=False),  # tells its files' names from those of another row; mostly ""
    Column("renditions", ARRAY(Text)),  # files of this image, the original first; None: those of its request
    Column("rewrites", JSONB(none_as_null=True)),  # findings of the rules that rewrote a text; None: as it was sent
    Column("prompt_read_chars", Integer),  # what the model's text encoder reads of it; None: all
    Column("negative_prompt_read_chars", Integer),
    Column("seed", BigInteger, nullable=False),
    Column("recipe_id", Text, ForeignKey("recipes.id", deferrable=True, initially="DEFERRED"), nullable=False),
    Column("queue", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("batch_id", _ID, ForeignKey("batches.id")),
    Column("batch_position", SmallInteger),  # 0-based, fixed when planned
    Column("reason", Text),  # stable code, for failed
    Column("verdict", JSONB(none_as_null=True)),  # Verdict.to_json(), once screened
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("settled_at", _AT),
    Column("sample", Boolean, nullable=False, server_default=false()),  # of the pilot: made before a person accepts
    *(Column("gpu_seconds", _GPU_SECONDS), Column("energy_joules", _JOULES)),  # its share; None: unknown
    Column("attempts_before", Integer, nullable=False, server_default="0"),  # of its last batch, if retried
    *(Column("cost", _MONEY), Column("currency", Text)),  # by the price list of that moment; None: no price
    *(Column("gpu_seconds_reserved", _GPU_SECONDS), Column("cost_reserved", _MONEY)),  # P90 at submit; None: unknown
    *(Column("content_key", Text), Column("not_reused", Text)),  # of pixels and files; why no asset was taken
    Column("reused_asset_id", _ID, ForeignKey("assets.id", use_alter=True)),  # that was there already
    Column("drawing_item_id", _ID, ForeignKey("items.id")),  # whose kept drawing its files are made of; None: drawn
    Column("erased_at", _AT),  # prompt, negative_prompt, carried and file_suffix were erased
    UniqueConstraint("request_id", "custom_id", "variant"),
)

assets = Table(
    "assets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("item_id", _ID, ForeignKey("items.id"), nullable=False, unique=True),
    Column("request_id", _ID, ForeignKey("requests.id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("watermark_id", BigInteger, nullable=False, unique=True),  # 48 random bits
    Column("policy_version", Text, nullable=False),
    Column("provenance", JSONB, nullable=False),  # recipe, seed, place in the batch, marks: what the event says
    Column("released_at", _AT, nullable=False, server_default=func.now()),
    Column("thumbhash", Text),  # of its thumbnail; NULL where it has none, and once it is recalled
)

renditions = Table(
    "renditions",
    metadata,
    Column("asset_id", _ID, ForeignKey("assets.id"), primary_key=True),
    Column("name", Text, primary_key=True),  # "original", ...
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # in the object store, under released/
    Column("media_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("item_id", _ID, ForeignKey("items.id"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # in the object store, under quarantine/
    Column("sha256", Text, nullable=False),
    Column("verdict", JSONB, nullable=False),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    # What a release needs; NULL where the marks failed, and in rows older than these columns.
    Column("attempt", Integer),
    Column("asset_id", _ID, unique=True),
    Column("watermark_id", BigInteger, unique=True),
    Column("provenance", JSONB(none_as_null=True)),  # as in assets
    Column("renditions", JSONB(none_as_null=True)),  # as in renditions, under quarantine/
    Column("thumbhash", Text),  # as in assets, until it is carried out
    Column("decided_at", _AT),  # by a final review
    Column("release", Boolean),
    Column("carried_out_at", _AT),  # the clerk has nothing left to do
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("item_id", _ID, ForeignKey("holds.item_id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key_id", _ID, nullable=False),
    Column("reviewer", Text, nullable=False),  # name of the key
    Column("person", Text, nullable=False),  # who it is for four eyes
    Column("decision", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("sha256", Text, nullable=False),  # of what was judged
    Column("comment", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    UniqueConstraint("item_id", "person", "decision"),
)

turns = Table(
    "turns",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("lane", Text, primary_key=True),  # "priority:bulk", "tenant:bulk:acme", "clock:priority"
    Column("virtual_time", Double, nullable=False),  # images planned / weight, advanced by dispatch
)
