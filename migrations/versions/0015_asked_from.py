"""Shares of anonymous callers: which network an open question came from, as a keyed digest.

Filled for the public detector alone and emptied when the question is settled.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ASKED_FROM = """
ALTER TABLE identifications
  ADD COLUMN asked_from text[] NOT NULL DEFAULT '{}' CHECK (cardinality(asked_from) <= 4);
GRANT UPDATE (asked_from) ON identifications TO presswork_identify;
"""


def upgrade() -> None:
    op.execute(_ASKED_FROM)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
