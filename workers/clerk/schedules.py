"""Schedules of catalogues: what is due begins, each due time once.

A tick is one transaction (workers/jobs/catalogue/ticks.py); its plan is made by an API process. The clock is the
database's, so that clerks on several machines agree.
"""

from __future__ import annotations

from sqlalchemy import func, select

from workers.clerk.context import ClerkContext
from workers.jobs.catalogue import ticks


def run_once(context: ClerkContext) -> int:
    """How many schedules were moved on."""
    done = 0
    while True:
        with context.engine.begin() as conn:
            now = conn.execute(select(func.clock_timestamp())).scalar_one()
            if not ticks.begin_next(conn, now):
                return done
        done += 1
