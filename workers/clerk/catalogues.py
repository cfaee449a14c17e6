"""Catalogues: what runs have released becomes live, and feeds that no plan needs any more are deleted.

A flip is one transaction. Killed between a feed's deletion and the end of its row: the next round deletes it again,
which changes nothing.
"""

from __future__ import annotations

from workers.clerk.context import ClerkContext
from workers.jobs.catalogue import flips
from workers.store import rows_key


def run_once(context: ClerkContext) -> int:
    """How many runs were moved on, and feeds deleted."""
    done = 0
    while True:
        with context.engine.begin() as conn:
            run = flips.next_due(conn)
            if run is None:
                break
            flips.settle(conn, run)
        done += 1
    with context.engine.begin() as conn:
        feeds = flips.old_feeds(conn)
    for key in feeds.values():
        context.store.delete(rows_key(key))
        context.store.delete(key)
    if feeds:
        with context.engine.begin() as conn:
            flips.feeds_gone(conn, list(feeds))
    return done + len(feeds)
