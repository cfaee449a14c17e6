"""Refusal of the sealer, for those who release: while the ledger cannot be sealed, no picture leaves.

One row at most. The sealer writes it; workers and the clerk read it before a release commits.
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE audit.seal_refusal (
  one         boolean PRIMARY KEY DEFAULT true CHECK (one),
  refused_at  timestamptz,
  reason      text
);
"""

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (refused_at, reason) ON audit.seal_refusal TO presswork_sealer;
GRANT SELECT ON audit.seal_refusal TO presswork_worker, presswork_clerk, presswork_auditor;
"""


def upgrade() -> None:
    for statements in (_TABLE, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
