"""Files of clients of the OpenAI API, and batch jobs: a request whose rows are the lines of such a file.

A file's bytes lie in the object store, those of output files nowhere: they are made of the request when they are read.
The clerk deletes what expired, was deleted or has erased text in it.
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE requests DROP CONSTRAINT requests_kind_check;
ALTER TABLE requests ADD CONSTRAINT requests_kind_check CHECK (kind IN ('single', 'campaign', 'batch'));

CREATE TABLE files (
  id            uuid PRIMARY KEY,
  tenant        text NOT NULL REFERENCES tenants (id),
  purpose       text NOT NULL CHECK (purpose IN ('batch', 'batch_output')),
  name          text NOT NULL,
  bytes         bigint NOT NULL CHECK (bytes >= 0),
  sha256        text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  part          text CHECK (part IN ('output', 'error')),
  batch_job_id  uuid,
  created_at    timestamptz NOT NULL DEFAULT now(),
  stored_at     timestamptz,
  expires_at    timestamptz,
  deleted_at    timestamptz,
  CHECK ((purpose = 'batch_output') = (part IS NOT NULL)),
  CHECK ((purpose = 'batch_output') = (batch_job_id IS NOT NULL)),
  CHECK ((purpose = 'batch') = (sha256 IS NOT NULL))
);
CREATE INDEX files_listed ON files (tenant, id) WHERE deleted_at IS NULL;
CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX files_expiring ON files (expires_at) WHERE deleted_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX files_unstored ON files (created_at) WHERE stored_at IS NULL;

CREATE TABLE batch_jobs (
  id              uuid PRIMARY KEY,
  tenant          text NOT NULL REFERENCES tenants (id),
  key_id          uuid NOT NULL,
  file_id         uuid NOT NULL,
  endpoint        text NOT NULL,
  metadata        jsonb NOT NULL,
  output_seconds  integer CHECK (output_seconds > 0),
  state           text NOT NULL DEFAULT 'validating' CHECK (state IN ('validating', 'started', 'failed', 'cancelled')),
  attempt         integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  lease_until     timestamptz,
  errors          jsonb,
  request_id      uuid UNIQUE REFERENCES requests (id),
  lines           integer CHECK (lines > 0),
  created_at      timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,
  started_at      timestamptz,
  ended_at        timestamptz,
  finalized_at    timestamptz,
  output_file_id  uuid,
  error_file_id   uuid,
  CHECK ((state = 'started') = (request_id IS NOT NULL)),
  CHECK ((state = 'started') = (started_at IS NOT NULL)),
  CHECK ((state = 'started') = (lines IS NOT NULL)),
  CHECK ((state IN ('failed', 'cancelled')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'failed') = (errors IS NOT NULL))
);
CREATE INDEX batch_jobs_listed ON batch_jobs (tenant, id);
CREATE INDEX batch_jobs_of_file ON batch_jobs (file_id);
CREATE INDEX batch_jobs_over ON batch_jobs (ended_at) WHERE ended_at IS NOT NULL;
"""

_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY desk ON {table} TO presswork_clerk, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (stored_at, deleted_at) ON files TO presswork_api;
GRANT SELECT, DELETE, UPDATE (deleted_at) ON files TO presswork_clerk;
GRANT SELECT ON files TO presswork_auditor;
GRANT SELECT, INSERT, UPDATE (state, attempt, lease_until, errors, request_id, lines, metadata, started_at, ended_at,
  finalized_at, output_file_id, error_file_id) ON batch_jobs TO presswork_api;
GRANT SELECT, DELETE ON batch_jobs TO presswork_clerk;
GRANT SELECT ON batch_jobs TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("files", "batch_jobs"):
        op.execute(_WALL.format(table=table))
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
