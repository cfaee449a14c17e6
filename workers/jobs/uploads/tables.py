"""Tables of files, of batch jobs and of checks of campaigns, as SQLAlchemy Core."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from workers.jobs.tables import metadata

_ID = UUID(as_uuid=False)
_AT = DateTime(timezone=True)

files = Table(
    "files",
    metadata,
    Column("id", _ID, primary_key=True),  # UUIDv7: ordered by creation
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("purpose", Text, nullable=False),  # batch | batch_output | vision | campaign
    Column("name", Text, nullable=False),  # as its sender called it
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text),  # None: what it holds is made when it is read
    Column("part", Text),  # of a batch_output: output | error
    Column("batch_job_id", _ID),  # of a batch_output
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("stored_at", _AT),  # None: the object may not be in the store yet
    Column("expires_at", _AT),
    Column("deleted_at", _AT),  # the clerk deletes the object and then the row
)

batch_jobs = Table(
    "batch_jobs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("key_id", _ID, nullable=False),
    Column("file_id", _ID, nullable=False),  # the file may be gone
    Column("endpoint", Text, nullable=False),
    Column("metadata", JSONB, nullable=False),  # the tenant's own labels, until the request has them
    Column("output_seconds", Integer),  # lifetime of its output files; None: as long as any
    Column("state", Text, nullable=False, server_default="validating"),  # validating | started | failed | cancelled
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # how often its lines were begun to be read
    Column("lease_until", _AT),  # of the process that reads its lines
    Column("errors", JSONB(none_as_null=True)),  # of its lines, where it failed
    Column("request_id", _ID, ForeignKey("requests.id"), unique=True),  # once it is started
    Column("lines", Integer),  # once it is started
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("expires_at", _AT, nullable=False),
    Column("started_at", _AT),
    Column("ended_at", _AT),  # failed, or cancelled before it was started
    Column("finalized_at", _AT),  # its output files are known
    Column("output_file_id", _ID),
    Column("error_file_id", _ID),
)

campaign_checks = Table(
    "campaign_checks",
    metadata,
    Column("id", _ID, primary_key=True),  # also of the request that comes of it
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("key_id", _ID, nullable=False),
    Column("name", Text, nullable=False),  # until the request has it
    Column("spec", JSONB, nullable=False),  # as it was sent, until the check is over
    Column("file_id", _ID, nullable=False),  # the file is gone once the check is over
    Column("pictures_file_id", _ID),
    Column("bytes", BigInteger, nullable=False),  # of the table
    Column("state", Text, nullable=False, server_default="checking"),  # accepted | checked | failed | cancelled
    Column("stage", Text, nullable=False, server_default="waiting"),  # waiting | checking | storing
    Column("rows", Integer),  # once they are counted
    Column("rows_checked", Integer, nullable=False, server_default=text("0")),
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # how often it was begun: the fence
    Column("unfinished", Integer, nullable=False, server_default=text("0")),  # of those, without being given back
    Column("lease_until", _AT),  # of the process that checks
    Column("reply", JSONB(none_as_null=True)),  # what a submission in one call would have been answered
    Column("problem", JSONB(none_as_null=True)),  # the same, where it failed
    Column("created_at", _AT, nullable=False, server_default=func.now()),
    Column("ended_at", _AT),
)
