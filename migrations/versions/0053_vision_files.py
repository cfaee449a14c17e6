"""Files with a picture, for edits: the purpose vision of clients of the OpenAI API."""

from __future__ import annotations

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

_PURPOSES = """
ALTER TABLE files DROP CONSTRAINT files_purpose_check, DROP CONSTRAINT files_check2;
ALTER TABLE files ADD CONSTRAINT files_purpose_check CHECK (purpose IN ('batch', 'batch_output', 'vision'));
ALTER TABLE files ADD CONSTRAINT files_check2 CHECK ((purpose <> 'batch_output') = (sha256 IS NOT NULL));
"""


def upgrade() -> None:
    op.execute(_PURPOSES)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
