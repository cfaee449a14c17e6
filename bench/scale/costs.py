"""Costs of the hot paths on a database as it is: what each table takes an image, and how long each process needs."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import Engine, create_engine, text

from bench.ledger import event
from bench.system import REPOSITORY, wait_for_api
from deploy.embedded.environment import process_environment, settings_of
from deploy.embedded.passwords import api_key_file
from deploy.embedded.stack import Stack
from policy.ledger.append import append
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.notes import Checkpoint, open_checkpoint
from policy.ledger.tree.seal import seal
from policy.ledger.verification.verify import verify
from workers.identification.released import ReleasedIndex
from workers.planning import planner
from workers.queue import Queue
from workers.settings import Settings
from workers.store import ObjectStore

_SIZES = """
select c.oid::regclass::text, pg_relation_size(c.oid), pg_indexes_size(c.oid),
       pg_total_relation_size(c.oid) - pg_relation_size(c.oid) - pg_indexes_size(c.oid)
from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind = 'r' and nspname in ('public', 'audit') and pg_total_relation_size(c.oid) > 1000000
order by pg_total_relation_size(c.oid) desc
"""
_OPENED = (
    "update items set state = 'pending', batch_id = null, batch_position = null, settled_at = null"
    " where request_id = any(%s) and state = 'released'"
)
_VERIFIED_SECONDS = 60.0  # of the whole verification; its pace is the same to the end
_FIRST = "select id from requests order by id limit 1"  # whose items the planner was not given
_ROUNDS = 24  # of planning
_CALLS = 15  # of each page of the API


def sizes(conn: psycopg.Connection[Any], images: int) -> None:
    """Bytes an image, table by table."""
    print(f"{'bytes an image':28} {'rows':>8} {'indexes':>8} {'rest':>8} {'all':>8}")
    total = 0
    for table, rows, indexes, rest in conn.execute(_SIZES):
        total += rows + indexes + rest
        print(f"  {table:26} {rows / images:8.0f} {indexes / images:8.0f} {rest / images:8.0f}"
              f" {(rows + indexes + rest) / images:8.0f}")  # fmt: skip
    print(f"  {'all':26} {total / images:35.0f}   ({total / 1e9:.1f} GB)", flush=True)


def pages(stack: Stack, conn: psycopg.Connection[Any]) -> None:
    """Median and longest time of the pages that people and programs look at."""
    url = f"http://127.0.0.1:{stack.ports['api']}"
    key = api_key_file(stack.data).read_text()
    api = subprocess.Popen(
        [sys.executable, "-m", "api"], cwd=REPOSITORY, env=process_environment(stack, "api", os.environ),
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            wait_for_api(client)
            for path in _addresses(client, str(one_value(conn, _FIRST))):
                taken = [_timed_get(client, path) for _ in range(_CALLS)]
                shown = "/".join("ID" if len(part) == 36 else part for part in path.split("/"))
                print(f"  GET {shown:44} {statistics.median(taken):8.1f} ms, at most {max(taken):8.1f}", flush=True)
    finally:
        api.terminate()
        api.wait()


def _addresses(client: httpx.Client, request: str) -> Iterator[str]:
    asset = client.get(f"/v1/requests/{request}/assets").raise_for_status().json()["data"][0]["id"]
    of_request = ("", "/items", "/items?state=failed", "/assets")
    yield from ("/v1/requests", *(f"/v1/requests/{request}{part}" for part in of_request))
    yield from (f"/v1/assets/{asset}", f"/v1/assets/{asset}/events", "/v1/reviews", "/metrics")


def _timed_get(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    answer = client.get(path)
    if answer.status_code >= 400:
        raise SystemExit(f"GET {path} answered {answer.status_code}: {answer.text[:300]}")
    return (time.perf_counter() - began) * 1000


def planning(stack: Stack, conn: psycopg.Connection[Any], replicas: tuple[int, ...]) -> None:
    """Items planned a second from a long backlog, by so many planners at once."""
    requests = [row[0] for row in conn.execute("select id from requests order by id desc limit 400")]
    with conn.transaction():
        opened = conn.execute(_OPENED, [requests]).rowcount
    conn.execute("update requests set ended_at = null, phase = 'running' where id = any(%s)", [requests])
    conn.execute("analyze items, requests")
    print(f"  {opened:,} items wait")
    settings = Settings(**_values(stack, "planner"))
    engine, queue = create_engine(stack.postgres.url("worker"), pool_size=8), Queue(settings)
    for count in replicas:
        taken, rounds, planned = _rounds(engine, queue, settings, conn, count)
        print(f"  {count} planners: {planned / taken:8,.0f} items/s in {rounds} rounds,"
              f" {taken / rounds * 1000:.0f} ms each", flush=True)  # fmt: skip
    engine.dispose()


def _rounds(
    engine: Engine, queue: Queue, settings: Settings, conn: psycopg.Connection[Any], count: int
) -> tuple[float, int, int]:
    """Seconds, rounds that planned something, and items planned, while the window moves on by 16 batches a round."""
    open_batches = "select count(*) from batches where state in ('dispatched', 'running')"
    begin = int(one_value(conn, open_batches))
    done, lock = [0, 0], threading.Lock()

    def plan() -> None:
        while done[0] < _ROUNDS:
            wider = settings.model_copy(update={"window": begin + 16 * (done[0] + 1)})
            sent = planner.run_once(engine, queue, wider)
            with lock:
                done[0] += sent > 0
                done[1] += sent
            if not sent:
                time.sleep(0.01)  # another one plans

    began = time.perf_counter()
    threads = [threading.Thread(target=plan) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    return taken, max(done[0], 1), done[1] * settings.max_batch


def sealing(stack: Stack, signer: LocalNoteSigner, events: int) -> None:
    """Entries appended and sealed a second, on top of all that are there."""
    engine = create_engine(stack.postgres.url("worker"))
    began = time.perf_counter()
    for first in range(0, events, 1000):
        with engine.begin() as conn:
            append(conn, tenant="bench", actor="bench", events=[event(first + number) for number in range(1000)])
    print(f"  appended {events / (time.perf_counter() - began):8,.0f} entries/s, 1,000 a transaction")
    sealer = create_engine(stack.postgres.url("sealer"))
    began, sealed = time.perf_counter(), 0
    while True:
        with sealer.begin() as conn:
            step = seal(conn, signer, [signer.vkey])
        if step is None:
            break
        sealed += step.entries
    print(f"  sealed   {sealed / (time.perf_counter() - began):8,.0f} entries/s", flush=True)
    engine.dispose()
    sealer.dispose()


class _EnoughSeen(Exception):
    """Raised by the progress of a verification that is only timed."""


def verification(stack: Stack, signer: LocalNoteSigner, kept: int) -> None:
    """The pace of a whole verification, and the time of one from a head `kept` leaves before the end."""
    engine = create_engine(stack.postgres.url("auditor"))
    began, seen, size = time.perf_counter(), 0, 0

    def progress(done: int, total: int) -> None:
        nonlocal seen, size
        seen, size = done, total
        if time.perf_counter() - began > _VERIFIED_SECONDS:
            raise _EnoughSeen

    try:
        with engine.connect() as conn:
            whole = verify(conn, [signer.vkey], progress=progress)
            print(f"  intact: {whole.intact}")
    except _EnoughSeen:
        pass
    pace = seen / (time.perf_counter() - began)
    print(f"  whole: {pace:,.0f} entries/s, so {size / pace / 60:,.0f} minutes for {size:,}", flush=True)
    with engine.connect() as conn:
        wanted = text("select note from audit.checkpoints where size <= :most order by size desc limit 1")
        note = conn.execute(wanted, {"most": size - kept}).scalar_one()
        head: Checkpoint = open_checkpoint(note, [signer.vkey])
        conn.rollback()
        began = time.perf_counter()
        report = verify(conn, [signer.vkey], kept=head)
    print(f"  from a head of {head.size:,}: {time.perf_counter() - began:.1f} s for {report.sealed - report.since:,},"
          f" intact: {report.intact}, problems: {[str(p.flaw) for p in report.problems][:3]}", flush=True)  # fmt: skip
    engine.dispose()


def index(stack: Stack) -> None:
    """What a replica of the identify process needs to begin: it holds every fingerprint in memory."""
    settings = Settings(**_values(stack, "identify"))
    engine = create_engine(stack.postgres.url("identify"))
    before, began = _memory(), time.perf_counter()
    released = ReleasedIndex(engine, ObjectStore(settings))
    taken = released.refresh()
    seconds = time.perf_counter() - began
    print(f"  {taken:,} fingerprints in {seconds:.1f} s ({taken / max(seconds, 0.01):,.0f}/s),"
          f" {(_memory() - before) / max(taken, 1):,.0f} bytes of memory each", flush=True)  # fmt: skip
    engine.dispose()


def one_value(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query).fetchone()
    return row[0] if row else None


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _values(stack: Stack, role: str) -> dict[str, Any]:
    return {name.removeprefix("PRESSWORK_").lower(): value for name, value in settings_of(stack, role).items()}


@contextmanager
def heading(words: str) -> Iterator[None]:
    """A part of the report, with how long it took and how busy the machine was."""
    print(f"\n{words}", flush=True)
    began = time.monotonic()
    yield
    print(f"  ({time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f})", flush=True)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
