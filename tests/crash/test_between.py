"""Faults between the processes and their services: a proxy errs, loses answers and cuts; a service is full or stopped.

Numbers are those of docs/operations.md's nightly size where CRASH_ITEMS says so, and smaller otherwise.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.crash.world import ITEMS, World, of_size
from tests.support.faulty_proxy import HttpFault, S3Proxy, TcpProxy

pytestmark = pytest.mark.crash
ALL = {"released": ITEMS}
_NO_ROOM = """
create function audit.no_room() returns trigger language plpgsql as
  $$ begin raise exception using errcode = 'disk_full', message = 'No space left on device'; end $$;
create trigger no_room before insert on audit.entries for each statement execute function audit.no_room();
"""


def _puts(share: dict[HttpFault, float], seed: int) -> Callable[[str, str], HttpFault | None]:
    """Faults of puts of pictures, each with its share; the first ones are of each kind in turn."""
    chance, unseen = random.Random(seed), list(share)

    def fault(method: str, path: str) -> HttpFault | None:
        if method != "PUT" or ".write-check" in path:
            return None
        drawn = chance.random()
        for each, part in share.items():
            if (drawn := drawn - part) < 0:
                return unseen.pop() if unseen else each
        return None

    return fault


def test_a_store_that_errs_loses_answers_and_bodies_gets_every_picture_once(world: World) -> None:
    """FAULTS 25, 26, 27: 30 % errors, a put that was stored and not answered, half a body, a changed body."""
    rest = of_size(0.05, 0.1)  # with 60 % in all, one put in eight fails four times, and the pauses add up to minutes
    share = {HttpFault.ERROR: 0.3, HttpFault.NO_ANSWER: rest, HttpFault.CUT: rest, HttpFault.CHANGED: rest}
    world.planner()
    world.submit()
    with S3Proxy(world.s3.endpoint_url, _puts(share, seed=25)) as proxy:
        for _ in range(of_size(1, 2)):
            world.worker(s3_endpoint_url=proxy.url)
        world.until_settled(seconds=300.0)
        assert set(proxy.seen) == set(share)
    world.assert_sound(ALL)


def test_a_ledger_that_has_no_room_stops_settlements_and_loses_nothing(world: World) -> None:
    """FAULTS 24, and 20 on the way: the disk is full at the event, later the database is read-only, and connections
    are cut. No state changes without its event meanwhile.
    """
    upstream = make_url(world.database.url("worker"))
    with TcpProxy((str(upstream.host), int(upstream.port or 5432))) as proxy:
        url = upstream.set(port=proxy.port).render_as_string(hide_password=False)
        world.planner(database_url=url)
        world.submit()
        worker = world.worker(database_url=url)
        world.until(lambda: world.states()["released"] >= 1, "the first release")
        with _as_superuser(world) as conn:
            conn.execute(sa.text(_NO_ROOM))
            log = world.log_of(worker)
            world.until(lambda: b"DiskFull" in log.read_bytes(), "the worker to be refused")
            before = world.states()
            time.sleep(of_size(0.5, 10.0))
            assert world.states() == before, "nothing moves without its event"
            conn.execute(sa.text("drop function audit.no_room cascade"))
            name = conn.dialect.identifier_preparer.quote(world.database.name)
            conn.execute(sa.text(f"alter database {name} set default_transaction_read_only = on"))
            assert proxy.cut() > 0
            time.sleep(of_size(0.5, 10.0))
            conn.execute(sa.text("set default_transaction_read_only = off"))
            conn.execute(sa.text(f"alter database {name} reset default_transaction_read_only"))
            proxy.cut()
        world.until_settled()
    world.assert_sound(ALL)


def test_a_redis_that_is_stopped_for_a_while_costs_time_only(world: World, stack: Any) -> None:
    """FAULTS 15, O05: stopped, not dead, so that every call hangs."""
    world.planner()
    world.submit()
    world.worker()
    world.until(lambda: world.states()["released"] >= 1, "the first release")
    valkey = stack.children["valkey"].pid
    os.kill(valkey, signal.SIGSTOP)
    try:
        time.sleep(of_size(2.0, 30.0))
    finally:
        os.kill(valkey, signal.SIGCONT)
    world.until_settled()
    world.assert_sound(ALL)


def test_a_device_that_fails_in_every_batch_is_replaced_and_taken_out(world: World) -> None:
    """FAULTS 37: its processes end until it is out of use; the healthy worker makes all."""
    world.planner()
    world.submit()
    sick = [world.worker("--device-fails")]
    out = "select 1 from devices where id = 'sick' and out_at is not null"
    while not world.query(out):
        world.until(lambda: sick[-1].poll() is not None or bool(world.query(out)), "the sick process to end")
        if sick[-1].poll() is not None:
            assert sick[-1].returncode == 0, "it ends itself, and gives back what it holds"
            sick.append(world.worker("--device-fails"))
    assert world.states()["released"] == 0
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)
    assert len(sick) >= 2, "two threads may fail in one process"


def test_a_migration_while_workers_run_delays_and_loses_nothing(world: World) -> None:
    """FAULTS 44: a new revision adds columns under the locks that this takes; workers that run do not know them."""
    world.planner()
    world.submit()
    world.worker()
    world.until(lambda: world.states()["released"] >= 1, "the first release")
    with world.database.engine("owner").begin() as conn:
        for table in ("items", "batches", "assets", "requests"):
            conn.execute(sa.text(f"alter table {table} add column of_the_next_release text not null default 'new'"))
        time.sleep(of_size(1.0, 8.0))  # below the lock timeout of the processes
    world.worker()  # as after a rolling restart: the old one and a new one together
    world.until_settled()
    world.assert_sound(ALL)


def _as_superuser(world: World) -> Any:
    engine = world.database.engine("superuser", isolation_level="AUTOCOMMIT")
    return engine.connect()
