"""Faults of the soak: each begins, lasts and ends here; between them the installation is whole."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
import sqlalchemy as sa

from bench.soak.customers import Customers
from bench.soak.installation import Installation, no_fault
from tests.support.faulty_proxy import HttpFault, S3Proxy
from workers.queue import Queue

_NO_ROOM = """
create or replace function audit.no_room() returns trigger language plpgsql as
  $$ begin raise exception using errcode = 'disk_full', message = 'No space left on device'; end $$;
create trigger no_room before insert on audit.entries for each statement execute function audit.no_room();
"""
_BAD = {"no_model": "--no-model", "device_fails": "--device-fails", "slow": "--slow"}


@dataclass
class Faults:
    """Owned by the main thread: services die with the thread that started them."""

    on: Installation
    customers: Customers
    chance: random.Random

    @property
    def kinds(self) -> dict[str, Callable[[], None]]:
        """Name -> what it does from begin to end."""
        killed = {
            f"{name.rstrip('-12')} killed": lambda name=name: self._signal(name, signal.SIGKILL)
            for name in ("api", "planner-1", "sealer-1", "clerk-1", "good-1")
        }
        bad = {f"a bad worker: {kind}": lambda flag=flag: self._bad(flag) for kind, flag in _BAD.items()}
        return {
            **killed,
            **bad,
            "worker stopped beyond its lease": self._stopped,
            "worker drained": lambda: self._signal("good-2", signal.SIGTERM),
            "worker killed every few seconds": self._killed_often,
            "a bad worker: refused by S3": self._refused,
            "a bad worker: its clock is off": self._clock_off,
            "Redis emptied": self._redis_emptied,
            "Redis killed": lambda: self._service("valkey"),
            "Redis stopped": self._redis_stopped,
            "Postgres killed": lambda: self._service("postgres"),
            "Postgres connections cut": self._cut,
            "Postgres read-only": self._read_only,
            "ledger without room": self._no_room,
            "store killed": lambda: self._service("seaweed"),
            "store errs": lambda: self._store({HttpFault.ERROR: 0.3}),
            "store loses answers": lambda: self._store({HttpFault.NO_ANSWER: 0.3}),
            "store cuts and changes bodies": lambda: self._store({HttpFault.CUT: 0.15, HttpFault.CHANGED: 0.15}),
            "every message five times": self._messages,
            "webhook receiver fails": self._receiver_fails,
            "webhook receiver is slow": self._receiver_slow,
        }

    def _pause(self, shortest: float, longest: float) -> None:
        time.sleep(self.chance.uniform(shortest, longest))

    def _signal(self, name: str, number: int) -> None:
        self.on.signal(self.on.kept[name], number)
        self._pause(0.5, 2)

    def _stopped(self) -> None:
        worker = self.on.kept["good-1"]
        self.on.signal(worker, signal.SIGSTOP)
        self._pause(6, 9)
        self.on.signal(worker, signal.SIGCONT)

    def _killed_often(self) -> None:
        for name in ("good-1", "good-2", "good-1", "good-2"):
            self.on.signal(self.on.kept[name], signal.SIGKILL)
            self._pause(2, 4)

    def _bad(self, *arguments: str, **changes: object) -> None:
        self.on.keep("bad", "bench.soak.worker", *arguments, role="worker", **changes)
        self._pause(8, 12)
        self.on.drop("bad")
        with self._superuser() as conn:  # as `presswork workers readmit` does, after a look at the device
            conn.execute(sa.text("delete from devices"))

    def _refused(self) -> None:
        self._bad(s3_secret_access_key="wrong")

    def _clock_off(self) -> None:
        """What S3 answers a signature of an hour ago; the clock itself is the machine's, and stays."""
        with S3Proxy(self.on.stack.seaweed.endpoint_url, lambda method, path: HttpFault.CLOCK_OFF) as off:
            self._bad(s3_endpoint_url=off.url)

    def _redis_emptied(self) -> None:
        with redis.Redis.from_url(self.on.stack.valkey.url()) as client:
            client.flushall()

    def _redis_stopped(self) -> None:
        self._frozen("valkey", 3, 6)

    def _frozen(self, name: str, shortest: float, longest: float) -> None:
        pid = self.on.stack.children[name].pid
        os.kill(pid, signal.SIGSTOP)
        self._pause(shortest, longest)
        os.kill(pid, signal.SIGCONT)

    def _service(self, name: str) -> None:
        self.on.stack.kill(name)
        self._pause(1, 4)
        self.on.stack.restart(name)

    def _cut(self) -> None:
        for _ in range(3):
            with self._superuser() as conn:
                conn.execute(
                    sa.text(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where usename like 'presswork_%' and pid <> pg_backend_pid()"
                    )
                )
            self._pause(0.5, 1.5)

    def _read_only(self) -> None:
        with self._superuser() as conn:
            name = conn.dialect.identifier_preparer.quote(str(conn.scalar(sa.text("select current_database()"))))
            conn.execute(sa.text(f"alter database {name} set default_transaction_read_only = on"))
        self._cut()
        self._pause(1, 3)
        with self._superuser() as conn:
            conn.execute(sa.text("set default_transaction_read_only = off"))
            conn.execute(sa.text(f"alter database {name} reset default_transaction_read_only"))
        self._cut()

    def _no_room(self) -> None:
        with self._superuser() as conn:
            conn.execute(sa.text(_NO_ROOM))
            self._pause(3, 6)
            conn.execute(sa.text("drop function audit.no_room cascade"))

    def _store(self, share: dict[HttpFault, float]) -> None:
        def fault(method: str, path: str) -> HttpFault | None:
            drawn = self.chance.random()
            for each, part in share.items():
                if (drawn := drawn - part) < 0 and method == "PUT":
                    return each
            return None

        self.on.proxy.fault = fault
        self._pause(6, 10)
        self.on.proxy.fault = no_fault

    def _messages(self) -> None:
        queue = Queue(self.on.settings("worker"))
        for row in self.on.query("select id::text as id from batches where state in ('dispatched', 'running')") * 5:
            queue.send("gpu", row.id)

    def _receiver_fails(self) -> None:
        self.customers.receiver.status = 500
        self._pause(3, 6)
        self.customers.receiver.status = 204

    def _receiver_slow(self) -> None:
        self.customers.receiver.drip_seconds = 0.2
        self._pause(3, 6)
        self.customers.receiver.drip_seconds = 0.0

    def _superuser(self) -> sa.Connection:
        return self.on.engine("superuser", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect()
