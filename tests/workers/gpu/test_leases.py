"""Leases kept alive while their batch is worked on, and the word that one is lost."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from sqlalchemy import func, select

from tests.support.line import LEASE, Line, eventually
from workers.errors import Draining, LeaseLost
from workers.gpu.leases import HUNG_EXIT_STATUS, Lease
from workers.jobs.cancel import cancel_item
from workers.jobs.expire import expire
from workers.jobs.tables import batches
from workers.jobs.types import Claim

SHORT = 0.3  # seconds: renewed every tenth of a second


def lease_on(line: Line, held: Claim, draining: threading.Event | None = None) -> Lease:
    return Lease(line.worker, held, seconds=SHORT, longest_seconds=60, draining=draining or threading.Event())


def lost(lease: Lease) -> bool:
    try:
        lease.check_held()
    except LeaseLost:
        return True
    return False


def lease_until(line: Line, held: Claim):
    return line.batch(held.batch_id).lease_until


def test_the_lease_is_renewed_while_the_work_goes_on_and_no_longer(line: Line):
    held = line.claimed()
    with lease_on(line, held):
        first = lease_until(line, held)
        eventually(lambda: lease_until(line, held) != first)
        second = lease_until(line, held)
        eventually(lambda: lease_until(line, held) != second)
    after = lease_until(line, held)
    with line.owner.connect() as conn:
        over = select(batches.c.lease_until < func.clock_timestamp())
        eventually(lambda: conn.execute(over).scalar_one())
    assert lease_until(line, held) == after


def test_the_holder_is_told_that_another_attempt_runs(line: Line):
    held = line.claimed()
    with lease_on(line, held) as lease:
        lease.check()
        with line.worker.begin() as conn:  # one transaction, so that no renewal comes in between
            conn.execute(batches.update().values(lease_until=func.clock_timestamp()))
            assert [send.batch_id for send in expire(conn, LEASE)] == [held.batch_id]
        eventually(lambda: lost(lease))
        with pytest.raises(LeaseLost):
            lease.check()


def test_the_holder_is_told_what_was_cancelled(line: Line):
    held = line.claimed(3)
    with lease_on(line, held) as lease:
        assert lease.cancelled == frozenset()
        with line.as_tenant("acme") as conn:
            cancel_item(conn, "acme", held.items[1].id, "test")
        eventually(lambda: lease.cancelled == {held.items[1].id})
        lease.check()


def test_a_shutdown_stops_sampling_but_not_finishing(line: Line):
    draining = threading.Event()
    with lease_on(line, line.claimed(), draining) as lease:
        draining.set()
        with pytest.raises(Draining):
            lease.check()
        lease.check_held()


def test_a_database_that_is_away_for_a_moment_does_not_end_the_lease(line: Line):
    """Every connection is cut once; the next renewal finds a new one."""
    held = line.claimed()
    with lease_on(line, held) as lease:
        line.cut_connections("presswork_worker")
        before = lease_until(line, held)
        eventually(lambda: lease_until(line, held) != before)
        lease.check()


def test_a_batch_that_hangs_ends_its_process(line: Line):
    """The device hangs, the lease would be renewed for ever: the claim is used up and another process takes over."""
    held = line.claimed()
    hang = f"""
import threading
from tests.support.line import RECIPE
from workers.database import make_engine
from workers.jobs.types import Claim
from workers.gpu.leases import Lease
engine = make_engine({line.database.url("worker")!r}, name="test")
held = Claim({held.batch_id!r}, 1, RECIPE, "gpu", ())
with Lease(engine, held, seconds=0.1, longest_seconds=0.2, draining=threading.Event()):
    threading.Event().wait()
"""
    ended = subprocess.run([sys.executable, "-c", hang], timeout=60, capture_output=True, check=False)
    assert ended.returncode == HUNG_EXIT_STATUS, ended.stderr
    line.lease_runs_out(held.batch_id)
    with line.worker.begin() as conn:
        assert [send.batch_id for send in expire(conn, LEASE)] == [held.batch_id]
