"""Evidence benchmark: proofs beside a plain select of the same rows, and a pack of ten thousand events.

    python -m bench.evidence [--quick]

Starts a durable Postgres of its own and takes about a minute; --quick: two thousand events. A pack is written and
checked in a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, create_engine, select, text

from bench.ledger import event
from bench.result import Ratio, parser, report
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.ledger.append import append
from policy.ledger.documents import register, rule_set
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.tables import checkpoints, entries, sequence
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.notes import Vkey
from policy.ledger.tree.proofs import Prover, prove
from policy.ledger.tree.seal import seal

FULL, QUICK = 10_000, 2_000  # events
SINGLE = 500
ORIGIN = "bench.example/ledger"


def main() -> None:
    asked = parser(__doc__).parse_args()
    events = QUICK if asked.quick else FULL
    with (
        tempfile.TemporaryDirectory(prefix="presswork-bench-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder) / "stack", ports={}) as stack,
    ):
        upgrade(stack.postgres.url("owner"))
        url = stack.postgres.url("superuser")
        signer = LocalNoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        fill(url, signer, events)
        ratios = [*proofs(url), *packs(stack.postgres.url("auditor"), Path(folder), signer.vkey, events)]
    report(ratios, asked.json)


def fill(url: str, signer: LocalNoteSigner, events: int) -> None:
    engine = create_engine(url)
    for begin in range(0, events, 1_000):
        with engine.begin() as conn:
            register(conn, [rule_set("bench", b"rules")], actor="bench")
            append(conn, tenant="bench", actor="bench", events=[event(n) for n in range(begin, begin + 1_000)])
        with engine.begin() as conn:
            seal(conn, signer, [signer.vkey])
    engine.dispose()


def proofs(url: str) -> list[Ratio]:
    engine = create_engine(url)
    with engine.connect() as conn:
        some = text("SELECT CAST(event_id AS text) FROM audit.sequence ORDER BY random() LIMIT :count")
        ids = list(conn.scalars(some, {"count": SINGLE}))
        size, note = conn.execute(
            select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size.desc())
        ).first()  # type: ignore[misc]
        print("a second                                 proofs    plain select   proofs / plain")
        alone = compare(
            "one at a time", SINGLE, lambda: [prove(conn, id) for id in ids], lambda: [_one(conn, id) for id in ids]
        )

        def every() -> None:
            prover = Prover(conn)
            for index, _ in conn.execute(select(sequence.c.index, sequence.c.leaf)).all():
                str(prover.inclusion(index, size, note))

        together = compare("all, from one snapshot", size, every, lambda: conn.execute(_BODIES).all())
    engine.dispose()
    return [
        Ratio("proofs one at a time over plain selects", alone),
        Ratio("proofs of one snapshot over a plain select of all", together, 2.0),
    ]


_BODIES = select(sequence.c.index, entries.c.body).join(entries, entries.c.id == sequence.c.entry_id)


def _one(conn: Connection, event_id: str) -> object:
    return conn.execute(_BODIES.where(entries.c.event_id == event_id)).one()


def compare(what: str, count: int, ours: Callable[[], object], plain: Callable[[], object]) -> float:
    rates = []
    for work in (ours, plain):
        begun = time.perf_counter()
        work()
        rates.append(count / (time.perf_counter() - begun))
    print(f"  {what:32} {rates[0]:12,.0f} {rates[1]:15,.0f} {rates[0] / rates[1]:14.2f}", flush=True)
    return rates[0] / rates[1]


def packs(url: str, folder: Path, vkey: Vkey, events: int) -> list[Ratio]:
    context = multiprocessing.get_context("spawn")
    print(f"a pack of {events:,} events            seconds   events/s     MiB grown by")
    with context.Pool(1, maxtasksperchild=1) as pool:
        plain = pool.apply(_selected, (url,))
        written = pool.apply(_written, (url, folder / "pack.zip", vkey))
        checked = pool.apply(_checked, (folder / "pack.zip", str(vkey)))
    for what, (seconds, grown) in {"plain select": plain, "written": written, "checked": checked}.items():
        print(f"  {what:32} {seconds:8.2f} {events / seconds:10,.0f} {grown:12.0f}   {plain[0] / seconds:.2f} of plain")
    print(f"  the file: {(folder / 'pack.zip').stat().st_size / 2**20:.1f} MiB")
    return [
        Ratio("a pack written over a plain select of its events", plain[0] / written[0], 2.0),
        Ratio("a pack checked offline over a plain select of its events", plain[0] / checked[0], 2.0),
    ]


def _selected(url: str) -> tuple[float, float]:
    def work() -> None:
        with create_engine(url).connect() as conn:
            for part in conn.execute(_BODIES.execution_options(yield_per=1_000)).partitions():
                len(part)

    return _measured(work)


def _written(url: str, path: Path, vkey: Vkey) -> tuple[float, float]:
    def work() -> None:
        with create_engine(url).connect() as conn:
            write_pack(conn, path, Selection(), vkeys=[vkey])

    return _measured(work)


def _checked(path: Path, vkey: str) -> tuple[float, float]:
    def work() -> None:
        problems = [said for said in offline_verifier.verify(path, [vkey]).problems if "never kept" not in said]
        if problems:
            raise SystemExit(f"the benchmark's own pack does not prove itself: {problems[:3]}")

    return _measured(work)


def _measured(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and MiB by which the process's largest size grew (Linux)."""
    before, begun = _largest_kib(), time.perf_counter()
    work()
    return time.perf_counter() - begun, (_largest_kib() - before) / 1024


def _largest_kib() -> int:
    """Of this program: getrusage would tell that of the one that started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


if __name__ == "__main__":
    main()
