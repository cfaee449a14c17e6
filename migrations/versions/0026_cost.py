"""Cost: GPU seconds, energy and money of items, GPU seconds of batches, and the device class of workers.

Every column may be NULL: items and batches that an older process settles, or settled before this revision, have no
figures, and nothing is made up for them. `work_id` names what decides how long a batch takes (Recipe.work_id).
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE items
  ADD COLUMN gpu_seconds    numeric(14, 6) CHECK (gpu_seconds >= 0),
  ADD COLUMN energy_joules  numeric(18, 3) CHECK (energy_joules >= 0),
  ADD COLUMN cost           numeric(20, 9) CHECK (cost >= 0),
  ADD COLUMN currency       text CHECK (currency ~ '^[A-Z]{3}$'),
  ADD CHECK ((cost IS NULL) = (currency IS NULL)),
  ADD CHECK (cost IS NULL OR gpu_seconds IS NOT NULL);
ALTER TABLE batches
  ADD COLUMN gpu_seconds    numeric(14, 6) CHECK (gpu_seconds >= 0),
  ADD COLUMN energy_joules  numeric(18, 3) CHECK (energy_joules >= 0),
  ADD COLUMN device_class   text,
  ADD COLUMN drawn          integer CHECK (drawn >= 1),
  ADD COLUMN work_id        text;
ALTER TABLE gpu_workers ADD COLUMN device_class text NOT NULL DEFAULT '';
CREATE INDEX batches_measured ON batches (work_id, finished_at) WHERE work_id IS NOT NULL;
CREATE INDEX batches_made ON batches (queue, finished_at) WHERE gpu_seconds IS NOT NULL;
"""

_GRANTS = """
GRANT UPDATE (gpu_seconds, energy_joules, cost, currency) ON items TO presswork_worker;
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
