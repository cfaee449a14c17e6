"""Channels: further files of each image, made for the places where it is shown, with the request that asked for them.

They may name columns of a spreadsheet, which are private text, and are blanked with the request's other texts.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_COLUMN = """
ALTER TABLE requests ADD COLUMN channels jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(channels) = 'array'),
  ADD CHECK (erased_at IS NULL OR channels = '[]');
GRANT UPDATE (channels) ON requests TO presswork_clerk;
CREATE TRIGGER only_blanked_channels BEFORE UPDATE OF channels ON requests
  FOR EACH ROW EXECUTE FUNCTION only_blanked('channels');
"""


def upgrade() -> None:
    op.execute(_COLUMN)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
