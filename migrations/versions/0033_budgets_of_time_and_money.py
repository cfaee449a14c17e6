"""Budgets in GPU seconds and money: limits beside that of images, and what each item reserved of them.

A reservation is the P90 of the item when it was submitted, kept with the item; NULL where nothing was measured then.
Budgets and items that were stored before reserve nothing of the new limits.
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE budgets
  ALTER COLUMN images DROP NOT NULL,
  ADD COLUMN gpu_seconds           numeric(14, 6) CHECK (gpu_seconds > 0),
  ADD COLUMN gpu_seconds_reserved  numeric(14, 6) NOT NULL DEFAULT 0 CHECK (gpu_seconds_reserved >= 0),
  ADD COLUMN gpu_seconds_made      numeric(14, 6) NOT NULL DEFAULT 0 CHECK (gpu_seconds_made >= 0),
  ADD COLUMN cost                  numeric(20, 9) CHECK (cost > 0),
  ADD COLUMN cost_reserved         numeric(20, 9) NOT NULL DEFAULT 0 CHECK (cost_reserved >= 0),
  ADD COLUMN cost_made             numeric(20, 9) NOT NULL DEFAULT 0 CHECK (cost_made >= 0),
  ADD COLUMN currency              text CHECK (currency ~ '^[A-Z]{3}$'),
  ADD CHECK (num_nonnulls(images, gpu_seconds, cost) > 0),
  ADD CHECK (cost IS NULL OR currency IS NOT NULL);
ALTER TABLE items
  ADD COLUMN gpu_seconds_reserved  numeric(14, 6) CHECK (gpu_seconds_reserved >= 0),
  ADD COLUMN cost_reserved         numeric(20, 9) CHECK (cost_reserved >= 0);
"""

_GRANTS = """
GRANT UPDATE (gpu_seconds, gpu_seconds_made, gpu_seconds_reserved, cost, cost_made, cost_reserved, currency)
  ON budgets TO presswork_api;
GRANT UPDATE (gpu_seconds_made, gpu_seconds_reserved, cost_made, cost_reserved) ON budgets TO presswork_worker;
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
