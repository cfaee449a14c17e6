"""Measurements that a forecast comes from: batches by work, live device classes, what waits, the last hour.

Batches belong to no tenant, and what waits of others is numbers alone (`queue_load`).
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from workers.cost.finish import Capacity
from workers.cost.forecast import Measured
from workers.jobs.fleet.members import FRESH

_NEWEST = 500  # batches of a work that are looked at: what a device takes changes with drivers and libraries
_MEASURED = text(
    """
    SELECT asked.id, m.device_class, m.drawn, count(*),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY m.gpu_seconds::double precision),
           percentile_cont(0.9) WITHIN GROUP (ORDER BY m.gpu_seconds::double precision)
    FROM unnest(CAST(:ids AS text[])) AS asked (id)
    JOIN LATERAL (
      SELECT device_class, drawn, gpu_seconds FROM batches
      WHERE work_id = asked.id ORDER BY finished_at DESC LIMIT :newest
    ) m ON true
    GROUP BY asked.id, m.device_class, m.drawn
    """
)
_FLEET = text(
    """
    SELECT device_class, count(*) FROM gpu_workers
    WHERE :queue = ANY (queues) AND stopped IS NULL AND device_class <> ''
      AND seen_at > clock_timestamp() - CAST(:fresh AS interval)
    GROUP BY device_class
    """
)
_HOUR = text(
    """
    SELECT count(*), coalesce(sum(gpu_seconds), 0)::double precision, coalesce(sum(coalesce(drawn, size)), 0),
           count(DISTINCT date_trunc('minute', finished_at))
    FROM batches
    WHERE queue = :queue AND gpu_seconds IS NOT NULL AND finished_at > clock_timestamp() - interval '1 hour'
    """
)
_LOAD = text("SELECT priority, mine, weight, waiting FROM queue_load(:queue)")


def measured(conn: Connection, work_ids: Collection[str]) -> list[Measured]:
    """The newest batches of these works, by device class and size."""
    return [Measured(*row) for row in conn.execute(_MEASURED, {"ids": sorted(work_ids), "newest": _NEWEST})]


def live_classes(conn: Connection, queue: str) -> dict[str, int]:
    """Workers of a queue that take batches now, by device class."""
    return {row[0]: row[1] for row in conn.execute(_FLEET, {"queue": queue, "fresh": FRESH})}


def last_hour(conn: Connection, queue: str) -> Capacity:
    """What the queue delivered, over the minutes in which it delivered something."""
    batches, seconds, images, minutes = conn.execute(_HOUR, {"queue": queue}).one()
    return Capacity(batches, seconds / (60 * minutes) if minutes else 0.0, seconds / images if images else 0.0)


def load(conn: Connection, queue: str) -> list[tuple[str, bool, int, int]]:
    """Open images of the queue by priority and tenant: whether they are the caller's, the tenant's weight, how many."""
    return [(row.priority, row.mine, row.weight, row.waiting) for row in conn.execute(_LOAD, {"queue": queue})]
