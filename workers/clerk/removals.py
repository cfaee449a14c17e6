"""The store deletes what was given up: the event that says so was committed before.

Killed between the store's answer and the row: the next turn deletes again, which changes nothing.
"""

from __future__ import annotations

from workers import metrics
from workers.clerk.context import ClerkDesk
from workers.jobs.privacy import objects as removals

_STEP = 100  # objects of one turn


def turn(desk: ClerkDesk) -> int:
    """How many objects the store deleted."""
    with desk.engine.begin() as conn:
        keys = removals.given_up(conn, _STEP)
    for key in keys:
        desk.store.delete(key)
    if keys:
        desk.probe("deleted", None)
        with desk.engine.begin() as conn:
            removals.removed(conn, keys)
        metrics.OBJECTS_REMOVED.inc(len(keys))
    return len(keys)
