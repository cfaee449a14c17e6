"""Fleet: which workers live, what each cannot make, which devices are out; deaths of a batch's workers.

Runs before the new code starts and beside the old: old workers write none of it, and every column has a default.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE batches
  ADD COLUMN deaths integer NOT NULL DEFAULT 0 CHECK (deaths >= 0),
  ADD COLUMN lost integer NOT NULL DEFAULT 0 CHECK (lost >= 0),
  ADD COLUMN device_errors integer NOT NULL DEFAULT 0 CHECK (device_errors >= 0),
  ADD COLUMN blamed text[] NOT NULL DEFAULT '{}';

CREATE TABLE gpu_workers (
  name        text PRIMARY KEY,
  queues      text[] NOT NULL,
  threads     integer NOT NULL CHECK (threads >= 1),
  device      text NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  seen_at     timestamptz NOT NULL DEFAULT now(),
  stopped     text
);

CREATE TABLE worker_refusals (
  worker      text NOT NULL REFERENCES gpu_workers (name) ON DELETE CASCADE,
  recipe_id   text NOT NULL REFERENCES recipes (id),
  reason      text NOT NULL,
  refused_at  timestamptz NOT NULL DEFAULT now(),
  until       timestamptz,
  PRIMARY KEY (worker, recipe_id)
);

CREATE TABLE devices (
  id          text PRIMARY KEY,
  errors      integer NOT NULL CHECK (errors >= 0),
  batch_ids   uuid[] NOT NULL,
  failed_at   timestamptz,
  out_at      timestamptz
);
"""

_RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON gpu_workers, worker_refusals TO presswork_worker;
GRANT SELECT, INSERT, UPDATE ON devices TO presswork_worker;
GRANT SELECT ON gpu_workers, worker_refusals, devices TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_RIGHTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
