"""Verifiers of evidence packs are documents of the ledger: their digest is signed, so a replaced one is seen."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KINDS = """
ALTER TABLE audit.documents DROP CONSTRAINT documents_kind_check;
ALTER TABLE audit.documents
  ADD CONSTRAINT documents_kind_check CHECK (kind IN ('policy', 'card', 'files', 'verifier')) NOT VALID;
ALTER TABLE audit.documents VALIDATE CONSTRAINT documents_kind_check;
"""


def upgrade() -> None:
    op.execute(_KINDS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
