"""Loop of `python -m workers planner`: reconciles and plans, at once on NOTIFY and every `poll_seconds`.

While no batch is open no lease can run out, so it looks every `rest_seconds` only. What else happens is announced;
should that be lost, it is found by that look.

Any number may run: `expire` skips the rows that another one has locked, and planning holds an advisory lock.
"""

from __future__ import annotations

import threading

from sqlalchemy import Engine

from workers.crash import Probe, killer, no_probe
from workers.database import make_engine
from workers.jobs.expire import AT_ONCE
from workers.loop import Every, Loop, Wakeup
from workers.planning import backlog, planner, reconciler
from workers.queue import Queue
from workers.settings import Settings
from workers.states import WAKE_CHANNEL

_MEASURE_SECONDS = 10.0  # the scrape interval: dashboards need it no more often


def serve(settings: Settings, stop: threading.Event) -> None:
    """Run the planner's process until `stop`."""
    engine = make_engine(settings.database_url.get_secret_value(), name="planner", pool_size=2)
    make_loop(engine, Queue(settings), settings, killer(settings.crash_point)).run(stop)
    engine.dispose()


def make_loop(engine: Engine, queue: Queue, settings: Settings, probe: Probe = no_probe) -> Loop:
    """The loop with its parts; the caller owns `engine` and `queue`."""
    wakeup = Wakeup(settings, WAKE_CHANNEL)
    tidy = Every(settings.poll_seconds, lambda: reconciler.tidy(engine))
    measure = Every(_MEASURE_SECONDS, lambda: backlog.measure(engine, settings))

    is_idle = False

    def run_once() -> bool:
        nonlocal is_idle
        overdue = reconciler.run_once(engine, queue, settings)
        tidy()
        planner.run_once(engine, queue, settings, probe)
        measure()
        is_idle = not backlog.any_open(engine)
        return overdue >= AT_ONCE

    return Loop(
        "planner",
        run_once,
        pause_seconds=settings.poll_seconds,
        wait=wakeup.wait,
        rest_seconds=settings.rest_seconds,
        idle=lambda: is_idle,
        close=wakeup.close,
    )
