"""Carried columns and file names: a row of a spreadsheet is kept as it was sent, with the items it became.

`requests.carried_columns` has the names, `items.carried` the cells, both in the order of the file. They are private
text: the clerk blanks them with the prompt, nobody rewords them, and a blanked row stays blank. So are the templates of
file names, and the suffix that tells a name from another row's, which is a digest of the row's id.

The API reads how often a batch was claimed, for the results of a request, and nothing else of a batch.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE requests ADD COLUMN carried_columns text[] NOT NULL DEFAULT '{}',
  ADD COLUMN file_templates jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(file_templates) = 'object'),
  ADD CHECK (erased_at IS NULL OR (carried_columns = '{}' AND file_templates = '{}'));
ALTER TABLE items ADD COLUMN carried text[] NOT NULL DEFAULT '{}',
  ADD COLUMN file_suffix text NOT NULL DEFAULT '' CHECK (length(file_suffix) <= 16),
  ADD CHECK (erased_at IS NULL OR (carried = '{}' AND file_suffix = ''));
GRANT UPDATE (carried_columns, file_templates) ON requests TO presswork_clerk;
GRANT UPDATE (carried, file_suffix) ON items TO presswork_clerk;
GRANT SELECT (id, attempt) ON batches TO presswork_api;
"""

# An empty array is blank as well.
_ONLY_BLANKED = """
CREATE OR REPLACE FUNCTION only_blanked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  named text;
  old_row jsonb := to_jsonb(OLD);
  new_row jsonb := to_jsonb(NEW);
BEGIN
  FOREACH named IN ARRAY TG_ARGV LOOP
    IF new_row -> named IS DISTINCT FROM old_row -> named
       AND new_row -> named NOT IN ('""', '{}', '[]', to_jsonb('erased-' || (old_row ->> 'id'))) THEN
      RAISE EXCEPTION 'permission denied: % of % is blanked or stays as it is', named, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
    END IF;
  END LOOP;
  RETURN NEW;
END $$;
CREATE TRIGGER only_blanked_carried BEFORE UPDATE OF carried, file_suffix ON items
  FOR EACH ROW EXECUTE FUNCTION only_blanked('carried', 'file_suffix');
CREATE TRIGGER only_blanked_carried BEFORE UPDATE OF carried_columns, file_templates ON requests
  FOR EACH ROW EXECUTE FUNCTION only_blanked('carried_columns', 'file_templates');
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _ONLY_BLANKED):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
