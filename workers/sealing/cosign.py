"""Cosignatures: asks the configured witnesses to cosign the newest head, beside the sealer, so that no seal waits.

A witness that is away, refuses, or answers nonsense is an alarm and nothing more: the log goes on, and the next head
covers all before it. What counts is kept only after its signature was checked. Killed anywhere, the next round asks
again; a witness cosigns the same head as often as it is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import structlog
from sqlalchemy import Engine

from policy.errors import LedgerError
from policy.ledger.tree.keys import KeyFiles, keys_on_disk
from policy.ledger.tree.notes import Vkey
from policy.ledger.tree.proofs import ConsistencyProof, prove_consistency
from policy.ledger.tree.seal import newest
from policy.ledger.witnesses.witness_policy import (
    Witness,
    WitnessPolicy,
    keep_cosignature,
    newest_cosigned,
    newest_witnessed,
)
from workers import metrics
from workers.database import make_engine
from workers.errors import WitnessRefused, WorkerError
from workers.settings import Settings

log = structlog.get_logger()
_ANSWER_BYTES = 64 << 10  # a few signature lines


def make_witnessing(settings: Settings, witness_policy: Path) -> Witnessing:
    """The thread's parts, with a connection of its own: no seal waits for it. Raises SystemExit."""
    if not (settings.ledger_key and settings.ledger_vkeys):
        raise SystemExit("cosignatures need PRESSWORK_LEDGER_KEY and PRESSWORK_LEDGER_VKEYS")
    engine = make_engine(settings.database_url.get_secret_value(), name="witnessing", pool_size=1)
    keys = keys_on_disk(KeyFiles(settings.ledger_key, settings.ledger_vkeys), name=settings.ledger_origin)
    policy = WitnessPolicy.load(witness_policy)
    return Witnessing(engine, lambda: keys().vkeys, policy, seconds=settings.witness_seconds)


class Witnessing:
    """Asks in rounds. Owned by one thread."""

    def __init__(
        self,
        engine: Engine,
        vkeys: Callable[[], Sequence[Vkey]],
        policy: WitnessPolicy,
        *,
        seconds: float,
        pause_seconds: float = 30.0,
    ) -> None:
        self._engine, self._vkeys, self._policy = engine, vkeys, policy
        self._seconds = seconds  # one question, all of it
        self._pause_seconds = pause_seconds  # after a failure
        self._again: dict[str, float] = {}  # monotonic, by witness; it is not asked before
        self._http = httpx.Client(timeout=httpx.Timeout(seconds), follow_redirects=False, trust_env=False)

    def run_once(self) -> int:
        """Cosignatures that were new. What stops it is logged and tried again.

        Raises DBAPIError while the database is away.
        """
        try:
            return self._run_once()
        except LedgerError as error:
            log.error("witnesses_not_asked", error=type(error).__name__, reason=str(error))
            return 0

    def close(self) -> None:
        self._http.close()

    def _run_once(self) -> int:
        with self._engine.begin() as conn:
            head = newest(conn, self._vkeys())
            if head is None:
                return 0
            sizes = {each.name: newest_cosigned(conn, each) for each in self._policy.witnesses}
        new = 0
        for witness in self._policy.witnesses:
            rests = time.monotonic() < self._again.get(witness.name, 0.0)
            if witness.url and not rests and sizes[witness.name] < head[0].size:
                new += self._ask(witness, head[1], sizes[witness.name], head[0].size)
        if new:
            with self._engine.begin() as conn:
                metrics.WITNESSED_LEAVES.set(newest_witnessed(conn, self._policy))
        return new

    def _ask(self, witness: Witness, note: str, old: int, size: int) -> int:
        try:
            line = self._cosignature(witness, note, old, size)
        except (WorkerError, httpx.HTTPError) as error:
            self._again[witness.name] = time.monotonic() + self._pause_seconds
            metrics.WITNESS_FAILURES.inc()
            log.error("witness_did_not_cosign", witness=witness.name, error=type(error).__name__, reason=str(error))
            return 0
        with self._engine.begin() as conn:
            keep_cosignature(conn, size, witness, line)
        log.info("cosigned", witness=witness.name, size=size)
        return 1

    def _cosignature(self, witness: Witness, note: str, old: int, size: int) -> str:
        """Its line under this head. Raises WitnessRefused or what httpx raises."""
        status, text = self._post(witness, self._request(note, old, size))
        if status == 409 and text.strip().isdigit():  # it has seen another head last than we thought
            seen = int(text)
            if seen > size:
                raise WitnessRefused(
                    f"it has cosigned {seen} leaves, this database has {size}: restored from an older copy, or forked"
                )
            status, text = self._post(witness, self._request(note, seen, size))
        if status != 200:
            raise WitnessRefused(f"it answered {status}: {text[:200]!r}")
        for line in text.splitlines(keepends=True):
            try:
                if witness.name in self._policy.cosigners(note + line):
                    return line
            except LedgerError as error:
                raise WitnessRefused(f"its cosignature is invalid: {error}") from error
        raise WitnessRefused("its answer holds no cosignature of its key")

    def _request(self, note: str, old: int, size: int) -> bytes:
        path: tuple[bytes, ...] = ()
        if 0 < old < size:
            with self._engine.begin() as conn:
                path = prove_consistency(conn, old, size)
        return str(ConsistencyProof(old, path, note)).encode()

    def _post(self, witness: Witness, body: bytes) -> tuple[int, str]:
        """Status and text, within the bounds of time and size."""
        ends = time.monotonic() + self._seconds
        answer = b""
        with self._http.stream("POST", f"{witness.url}/add-checkpoint", content=body) as response:
            for block in response.iter_bytes():
                answer += block
                if len(answer) > _ANSWER_BYTES or time.monotonic() > ends:
                    raise WitnessRefused("its answer is too long, or comes too slowly")
        return response.status_code, answer.decode(errors="replace")
