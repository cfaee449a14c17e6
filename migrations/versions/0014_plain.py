"""Plain pictures, found in parts: 8 x 8 cells of their colour, beside their fingerprint.

What was indexed before has none: its whole copies are found as before, its parts are not.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_THUMBNAIL = """
ALTER TABLE fingerprints
  ADD COLUMN thumbnail bytea NOT NULL DEFAULT '' CHECK (octet_length(thumbnail) IN (0, 192));
"""


def upgrade() -> None:
    op.execute(_THUMBNAIL)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
