"""Marks: which files of each image a request asked for, and whether its prompts are public.

A request from before asked for neither: one PNG, and no prompt in it.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_REQUESTS = """
ALTER TABLE requests
  ADD COLUMN renditions text[] NOT NULL DEFAULT ARRAY['original']
    CHECK (renditions[1] = 'original' AND renditions <@ ARRAY['original', 'jpeg', 'webp', 'avif']),
  ADD COLUMN publish_prompt boolean NOT NULL DEFAULT false;
ALTER TABLE requests ALTER COLUMN renditions DROP DEFAULT, ALTER COLUMN publish_prompt DROP DEFAULT;
"""


def upgrade() -> None:
    op.execute(_REQUESTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
