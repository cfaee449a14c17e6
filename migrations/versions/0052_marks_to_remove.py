"""Marks to remove: a plan may retire slots, and a run that does nothing else has no request."""

from __future__ import annotations

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_CHECKS = """
ALTER TABLE catalogue_changes DROP CONSTRAINT catalogue_changes_kind_check;
ALTER TABLE catalogue_changes ADD CONSTRAINT catalogue_changes_kind_check
  CHECK (kind IN ('create', 'change', 'retire', 'missing', 'blocked'));
ALTER TABLE catalogue_runs DROP CONSTRAINT catalogue_runs_check;
ALTER TABLE catalogue_runs ADD CONSTRAINT catalogue_runs_check
  CHECK (request_id IS NULL OR kind = 'apply');
"""


def upgrade() -> None:
    op.execute(_CHECKS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
