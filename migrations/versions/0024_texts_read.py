"""Texts read: how many characters of each text the model's text encoder reads, where it does not read all of them.

A number tells nothing of the text, so it stays when the text is erased. Null in rows from before it was kept.
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE items ADD COLUMN prompt_read_chars integer CHECK (prompt_read_chars >= 0),
  ADD COLUMN negative_prompt_read_chars integer CHECK (negative_prompt_read_chars >= 0);
"""


def upgrade() -> None:
    op.execute(_COLUMNS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
