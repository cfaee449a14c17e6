"""Forecast: the API reads what batches took, which device classes live, and how much waits in a queue.

Batches and workers belong to no tenant. What waits of other tenants is told as numbers, without their names, by a
function of the owner: row-level security shows the API its own tenant's rows alone.
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_LOAD = """
CREATE FUNCTION queue_load(of_queue text)
RETURNS TABLE (priority text, mine boolean, weight integer, waiting bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT r.priority, r.tenant = coalesce(current_setting('presswork.tenant', true), ''), t.weight, count(*)
  FROM requests r
  JOIN tenants t ON t.id = r.tenant
  JOIN items i ON i.request_id = r.id AND i.state IN ('pending', 'planned')
  WHERE r.queue = of_queue AND r.gate <> 'closed'
  GROUP BY r.priority, r.tenant, t.weight
$$;
REVOKE ALL ON FUNCTION queue_load(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_load(text) TO presswork_api;
"""

_GRANTS = """
GRANT SELECT (queue, work_id, drawn, size, gpu_seconds, device_class, finished_at) ON batches TO presswork_api;
GRANT SELECT (queues, seen_at, stopped, device_class) ON gpu_workers TO presswork_api;
"""


def upgrade() -> None:
    for statements in (_LOAD, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")
