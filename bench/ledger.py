"""Ledger benchmark: appending, sealing, verifying and proving, beside plain inserts of the same bytes, in one run.

    python -m bench.ledger [--quick]

Starts a durable Postgres of its own (fsync on) and takes about two minutes, or half a minute. Each writer is a process
with a connection of its own, one transaction for each call. What one process does to many entries (seal, verify, prove)
stands beside one writer of a hundred plain rows a transaction.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import rfc8785
import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, create_engine, text

from bench.result import Ratio, parser, report
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.events import ItemReleased, Private
from policy.ledger.append import append, commit
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.proofs import InclusionProof, Prover, check, prove
from policy.ledger.tree.seal import seal
from policy.ledger.verification.verify import verify

BATCHES = (1, 100)  # events of one transaction
PROOFS = 300


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    seconds: float  # of each measurement of writers
    writers: tuple[int, ...]
    sealed: int  # entries that are sealed and verified


FULL, QUICK = Size(5.0, (1, 4, 8), 50_000), Size(1.5, (1, 4), 6_000)
BASIS = (1, 100)  # writers and rows of a transaction of the plain insert beside which one process's work stands
PLAIN = (
    "create schema plain; create table plain.bodies (id bigint generated always as identity primary key, body bytea)"
)
_NEWEST = text("select size, note from audit.checkpoints order by size desc limit 1")
_INSERT = text("insert into plain.bodies (body) select * from unnest(cast(:bodies as bytea[]))")


def event(number: int) -> ItemReleased:
    """A release as the line writes it: about 1.2 kB of bytes, and two private texts."""
    digest = "sha256:" + "ab" * 32
    scores = dict.fromkeys(("drawing", "hentai", "neutral", "porn", "sexy", "weapons"), 0.0123)
    return ItemReleased(
        request_id="0199f7b0-0000-7000-8000-000000000000",
        item_id=f"0199f7b0-0000-7000-8000-{number:012d}",
        asset_id=f"0199f7b0-0000-7000-9000-{number:012d}",
        batch_id="0199f7b0-0000-7000-a000-000000000000",
        attempt=1,
        prompt=Private("Studio photograph of a ceramic mug on a marble table, soft morning light"),
        negative_prompt=Private("blurry, text"),
        recipe={"model": "studio", "model_revision": digest, "width": 1024, "height": 1024, "guidance_scale": 3.0},
        seed=str(number),
        batch_size=8,
        batch_position=number % 8,
        device="cuda:0",
        verdict={"decision": "allow", "policy_version": digest, "findings": [], "scores": scores},
        marks={"watermark": {"scheme": "dwtDctSvd", "bit_errors": 0}, "manifest": {"state": "Trusted"}, "psnr": 42.1},
        renditions=(
            {"name": "original", "key": "released/acme/x/1/original.png", "bytes": 1_234_567, "sha256": digest},
        ),
    )


def main() -> None:
    asked = parser(__doc__).parse_args()
    size = QUICK if asked.quick else FULL
    with (
        tempfile.TemporaryDirectory(prefix="presswork-bench-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder) / "stack", ports={}) as stack,
    ):
        upgrade(stack.postgres.url("owner"))
        superuser = stack.postgres.url("superuser")
        with create_engine(superuser).begin() as conn:
            conn.execute(text(PLAIN))
        ratios, basis = appends(superuser, size)
        ratios += sealing(superuser, basis, size)
    report(ratios, asked.json)


def appends(url: str, size: Size) -> tuple[list[Ratio], float]:
    """Appends over plain inserts, and how many plain rows a second the writers of BASIS write."""
    ratios = []
    print("events a second                 append    plain insert   append / plain")
    basis = 0.0
    for batch in BATCHES:
        for writers in size.writers:
            ours = measured(url, writers, batch, _append, size.seconds)
            plain = measured(url, writers, batch, _plain, size.seconds)
            how = f"{writers} writers, {batch} a transaction"
            ratios.append(Ratio(f"appends over plain inserts, {how}", ours / plain, 1.6))
            basis = plain if (writers, batch) == BASIS else basis
            print(
                f"  {writers} writers, {batch:3} a transaction {ours:9,.0f} {plain:15,.0f} {ours / plain:14.2f}",
                flush=True,
            )
    return ratios, basis


def measured(url: str, writers: int, batch: int, write: Callable[[Connection, int], None], seconds: float) -> float:
    """Events a second of all writers together; each counts what it wrote while all were writing."""
    context = multiprocessing.get_context("forkserver")
    barrier, counts = context.Barrier(writers), context.Queue()
    arguments = (url, batch, write, seconds, barrier, counts)
    children = [context.Process(target=_write, args=arguments) for _ in range(writers)]
    for child in children:
        child.start()
    total = sum(counts.get() for _ in children)
    for child in children:
        child.join()
    return float(total)


def _write(
    url: str,
    batch: int,
    write: Callable[[Connection, int], None],
    seconds: float,
    barrier: object,
    counts: object,
) -> None:
    engine = create_engine(url)
    for _ in range(10):  # connection, prepared statements
        with engine.begin() as conn:
            write(conn, 1)
    barrier.wait()  # type: ignore[attr-defined]
    written, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        with engine.begin() as conn:
            write(conn, batch)
        written += batch
    counts.put(written / spent)  # type: ignore[attr-defined]


def _append(conn: Connection, batch: int) -> None:
    append(conn, tenant="bench", actor="worker:bench", events=[event(n) for n in range(batch)])


def _plain(conn: Connection, batch: int) -> None:
    conn.execute(_INSERT, {"bodies": _same_bytes(batch)})


@cache
def _same_bytes(count: int) -> list[bytes]:
    """What `_append` stores of so many events, but for ids and salts; made once: the plain insert only inserts."""
    return [_body_of(event(number)) for number in range(count)]


def _body_of(said: ItemReleased) -> bytes:
    commitments = {name: {"commitment": commit(bytes(16), value)} for name, value in said.private().items()}
    body = {"v": 1, "event_id": str(uuid_utils.uuid7()), "at": "2026-11-21T01:50:41.581962Z", "tenant": "bench",
            "actor": "worker:bench", "kind": said.kind, "subjects": list(said.subjects()),
            "event": said.payload() | commitments}  # fmt: skip
    return bytes(rfc8785.dumps(body))


def sealing(url: str, basis: float, wanted: Size) -> list[Ratio]:
    """Seal what the writers left and as much again, verify all of it, prove some of it."""
    print(f"entries a second, beside {basis:,.0f} plain rows a second          of plain   us of this process each")
    engine = create_engine(url)
    signer = LocalNoteSigner("bench.example/ledger", Ed25519PrivateKey.generate())
    with engine.connect() as conn:
        waiting = conn.execute(text("select count(*) from audit.pending")).scalar_one()
    for begin in range(waiting, wanted.sealed, 1_000):
        with engine.begin() as conn:
            append(conn, tenant="bench", actor="worker:bench", events=[event(n) for n in range(begin, begin + 1_000)])
    ratios: list[Ratio] = []
    with _timed("sealed", lambda: sealed, basis, ratios):
        sealed = 0
        while step := _seal(engine, signer):
            sealed += step
    with engine.connect() as conn, _timed("verified from end to end", lambda: found.entries, basis, ratios):
        found = verify(conn, [signer.vkey])
    if not found.intact:
        raise SystemExit(f"the benchmark's own log does not verify: {found.problems[:3]}")
    with engine.connect() as conn:
        some = text("select cast(event_id as text) from audit.sequence order by random() limit :proofs")
        ids = conn.scalars(some, {"proofs": PROOFS}).all()
        with _timed("proven, one at a time", lambda: len(ids), basis, ratios):
            proofs = [str(prove(conn, event_id)) for event_id in ids]
        size, note = conn.execute(_NEWEST).one()
        with _timed("proven, all in one go", lambda: size, basis, ratios):
            prover = Prover(conn)
            for index in range(size):
                str(prover.inclusion(index, size, note))
        with _timed("checked, such a proof", lambda: len(ids), basis, ratios):
            for event_id, proof in zip(ids, proofs, strict=True):
                check(InclusionProof.parse(proof), _body(conn, event_id), [signer.vkey])
        body = conn.execute(text("select avg(octet_length(body)) from audit.entries")).scalar_one()
    print(
        f"  a log of {sealed:,} entries of {body:,.0f} bytes with two private texts each; a proof: {len(proofs[0])} B"
    )
    return ratios


def _body(conn: Connection, event_id: str) -> bytes:
    return bytes(
        conn.execute(text("select body from audit.entries where event_id = :id"), {"id": event_id}).scalar_one()
    )


def _seal(engine: Engine, signer: LocalNoteSigner) -> int:
    with engine.begin() as conn:
        step = seal(conn, signer, [signer.vkey])
    return step.entries if step else 0


@contextmanager
def _timed(what: str, count: Callable[[], int], basis: float, ratios: list[Ratio]) -> Iterator[None]:
    """Prints the rate, beside the plain insert's, and processor time of this process, which load does not change."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    each = processor / count() * 1e6
    print(f"  {what:26} {count() / wall:19,.0f} {count() / wall / basis:22.2f} {each:14,.0f}", flush=True)
    ratios.append(Ratio(f"{what}, over plain rows", count() / wall / basis, 1.6))


if __name__ == "__main__":
    main()
