"""Window benchmark: time from an event's commit to its seal, and from the seal to the anchor, under load.

    python -m bench.window [--quick]

Starts a durable Postgres and an object store of its own, the real sealer at its default interval, and as many writers
as are named, each as fast as it can. Takes about a minute. Both times are the database's clock. What is measured from
is the moment an event was written, a little before its commit, so the figures are upper bounds. The comparison is the
interval itself: a sealer that took no time would leave half of it on average, and all of it at worst.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, func, select, text

from bench.ledger import event
from bench.result import Ratio, parser, report
from deploy.embedded.environment import LEDGER_ORIGIN, settings_of
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.ledger.append import append
from policy.ledger.tree.anchor import Anchored
from policy.ledger.tree.keys import KeyFiles, keys_on_disk, make_key_files
from policy.ledger.tree.notes import Checkpoint
from workers import logs
from workers.sealing.anchors import StoreAnchor
from workers.sealing.sealer import Sealer
from workers.settings import Settings
from workers.store import ObjectStore

FULL, QUICK = (20.0, (1, 4)), (8.0, (1,))  # seconds, and how many writers
EVENTS = 5  # of one transaction: a settled batch
_SEALED = text(
    """
    SELECT count(*), percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY waited), max(waited) FROM (
      SELECT extract(epoch FROM (SELECT min(c.sealed_at) FROM audit.checkpoints c WHERE c.size > s.index)
                     - e.recorded_at) AS waited
      FROM audit.sequence s JOIN audit.entries e ON e.id = s.entry_id WHERE s.index >= :begin
    ) AS each
    """
)


class TimedAnchor:
    """The object store's anchor, and when it had taken each head."""

    name = "store"

    def __init__(self, anchor: StoreAnchor, engine: Engine) -> None:
        self._anchor, self._engine = anchor, engine
        self.taken: dict[int, datetime] = {}

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        self._anchor.put(checkpoint, note)
        with self._engine.begin() as conn:
            self.taken[checkpoint.size] = conn.execute(select(func.clock_timestamp())).scalar_one()

    def newest(self) -> Anchored | None:
        return self._anchor.newest()

    def __iter__(self) -> Iterator[Anchored]:
        return iter(self._anchor)

    def note(self, anchored: Anchored) -> str:
        return self._anchor.note(anchored)


def main() -> None:
    asked = parser(__doc__).parse_args()
    seconds, writers = QUICK if asked.quick else FULL
    logs.configure("ERROR", "bench")
    with (
        tempfile.TemporaryDirectory(prefix="presswork-bench-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder) / "stack", ports={}) as stack,
    ):
        upgrade(stack.postgres.url("owner"))
        make_key_files(stack.data / "keys", origin=LEDGER_ORIGIN)
        values = settings_of(stack, "sealer")
        settings = Settings(**{name.removeprefix("PRESSWORK_").lower(): value for name, value in values.items()})  # type: ignore[arg-type]
        print(
            f"seconds, at an interval of {settings.seal_seconds:g}    median      99 %      most   median / half of it"
        )
        ratios = [ratio for count in writers for ratio in measure(stack, settings, count, seconds)]
    report(ratios, asked.json)


def measure(stack: Stack, settings: Settings, writers: int, seconds: float) -> list[Ratio]:
    engine = create_engine(stack.postgres.url("superuser"))
    assert settings.ledger_key is not None
    assert settings.ledger_vkeys is not None
    keys = keys_on_disk(KeyFiles(settings.ledger_key, settings.ledger_vkeys), name=LEDGER_ORIGIN)
    anchor = TimedAnchor(StoreAnchor(ObjectStore(settings), LEDGER_ORIGIN), engine)
    sealer = Sealer(create_engine(settings.database_url.get_secret_value()), keys, [anchor])
    with engine.begin() as conn:
        begin = conn.scalar(text("SELECT coalesce(max(index) + 1, 0) FROM audit.sequence")) or 0
    stop, context = threading.Event(), multiprocessing.get_context("spawn")
    thread = threading.Thread(target=_seal, args=(sealer, stop, settings.seal_seconds))
    thread.start()
    url = stack.postgres.url("worker")
    children = [context.Process(target=_write, args=(url, seconds)) for _ in range(writers)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    stop.set()
    thread.join()
    with engine.begin() as conn:
        ratios = _show(conn, anchor, writers, begin, settings.seal_seconds, seconds)
    engine.dispose()
    return ratios


def _seal(sealer: Sealer, stop: threading.Event, interval: float) -> None:
    while not stop.wait(interval):
        sealer.run_once()
    sealer.run_once()


def _write(url: str, seconds: float) -> None:
    engine, ends = create_engine(url), time.monotonic() + seconds
    while time.monotonic() < ends:
        with engine.begin() as conn:
            append(conn, tenant="bench", actor="worker:bench", events=[event(n) for n in range(EVENTS)])


def _show(
    conn: Connection, anchor: TimedAnchor, writers: int, begin: int, interval: float, seconds: float
) -> list[Ratio]:
    count, (median, late), most = conn.execute(_SEALED, {"begin": begin}).one()
    print(f"  {writers} writers, {count / seconds:6,.0f} events a second")
    print(f"    commit to seal              {median:9.3f} {late:9.3f} {most:9.3f} {median / (interval / 2):12.2f}")
    found = conn.execute(text("SELECT size, sealed_at FROM audit.checkpoints"))
    sealed = {row.size: row.sealed_at for row in found}
    waits = sorted((at - sealed[size]).total_seconds() for size, at in anchor.taken.items())
    half = waits[len(waits) // 2]
    print(f"    seal to anchor              {half:9.3f} {waits[int(len(waits) * 0.99)]:9.3f} {waits[-1]:9.3f}"
          f" {half / (interval / 2):12.2f}   ({len(waits)} heads)", flush=True)  # fmt: skip
    return [
        Ratio(f"half the interval over the median wait for the seal, {writers} writers", interval / 2 / median),
        Ratio(f"half the interval over the median wait for the anchor, {writers} writers", interval / 2 / half, 2.5),
    ]


if __name__ == "__main__":
    main()
