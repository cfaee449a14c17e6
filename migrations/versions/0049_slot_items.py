"""Items of slots: a picture that a run reused is live under the names that this run gives its files.

Until now a slot knew its picture alone, whose own item names the files; a run that reused a picture made nothing live.
"""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE catalogue_slots ADD COLUMN item_id uuid;
ALTER TABLE catalogue_flips ADD COLUMN item_id uuid;
UPDATE catalogue_slots s SET item_id = a.item_id FROM assets a WHERE a.id = s.asset_id;
UPDATE catalogue_flips f SET item_id = a.item_id FROM assets a WHERE a.id = f.asset_id;
ALTER TABLE catalogue_slots ADD CONSTRAINT catalogue_slots_named CHECK ((asset_id IS NULL) = (item_id IS NULL));
GRANT UPDATE (item_id) ON catalogue_slots TO presswork_api, presswork_clerk;
"""


def upgrade() -> None:
    op.execute(_COLUMNS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
