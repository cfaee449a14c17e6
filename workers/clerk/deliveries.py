"""Delivery of released files to buckets of tenants, in a thread of its own: a slow bucket holds up no other duty.

    check    a target that waits for it: an object is written, read back by its digest and deleted
    deliver  each released file: read from our store by its digest, written once, recorded with its event
    recall   the manifest without them first, then the objects go, or stay where the target says so
    manifest manifest.csv and manifest.jsonl, which name only what is there

Killed anywhere, the lease runs out and the next round goes on: an object that is there is found by its digest. What the
bucket does not take stops this delivery alone, is told with its reason, and is tried again, longer each time. Killed
between the write of a check and its deletion, a small object `.presswork-check-...` stays.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import monotonic

import structlog

from workers.clerk.context import ClerkContext
from workers.database import transact
from workers.delivery.bucket import BucketAccess, BucketRefused
from workers.delivery.lines import ResultLines
from workers.delivery.manifests import CSV_NAME, JSONL_NAME, manifests
from workers.errors import AddressRefused, NotFound
from workers.jobs.delivery import deliveries, targets
from workers.jobs.delivery.deliveries import MANIFEST_EVERY, DeliveredFile, RecalledFile, TakenDelivery
from workers.jobs.delivery.targets import CheckedTarget
from workers.jobs.results import Result, ResultFilter, results
from workers.jobs.types import StoredRendition, new_id
from workers.states import ItemState

log = structlog.get_logger()
_AT_ONCE = 3  # deliveries of one round, each with a connection of its own
_ROUND_SECONDS = 120.0  # of one delivery; then the others have their turn
_CHECK_SECONDS = 10.0  # of each of its three calls
_CHECK = b"presswork checks that it may write here\n"


def run_once(context: ClerkContext) -> int:
    """Some targets that wait for their check, then some deliveries; how much was done."""
    waiting = transact(context.engine, lambda conn: targets.to_check(conn, _AT_ONCE))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="delivery") as pool:
        list(pool.map(lambda target: _check(context, target), waiting))
        taken = list[TakenDelivery]()
        while len(taken) < _AT_ONCE and (one := transact(context.engine, deliveries.take)):
            taken.append(one)
        return len(waiting) + sum(pool.map(lambda one: _deliver(context, one), taken))


def any_waits(context: ClerkContext) -> bool:
    """Whether a target waits for its check, or a delivery for its time."""
    with context.engine.connect() as conn:
        return deliveries.any_waits(conn)


def _check(context: ClerkContext, target: CheckedTarget) -> None:
    """In no transaction, as the bucket may be slow. The object has a name of its own: another clerk may check too."""
    reason = None
    try:
        bucket = open_bucket(context, target, at_most=_CHECK_SECONDS)
        key = f"{target.prefix}.presswork-check-{new_id()}"
        bucket.replace(key, _CHECK, "text/plain")
        bucket.delete(key)
    except BucketRefused as refused:
        reason = refused.code
    except AddressRefused:
        reason = "address_refused"
    transact(context.engine, lambda conn: targets.checked(conn, target, reason))
    log.info("target_checked", target_id=target.id, reason=reason)


def open_bucket(context: ClerkContext, target: CheckedTarget, *, at_most: float = math.inf) -> BucketAccess:
    """The target's bucket. Raises AddressRefused."""
    seconds, loopback = min(context.settings.delivery_seconds, at_most), context.settings.webhook_loopback
    return BucketAccess(
        target.endpoint, target.region, target.bucket, target.access_key_id, target.secret, seconds, loopback
    )


def _deliver(context: ClerkContext, taken: TakenDelivery) -> int:
    """What of this delivery can be done now; how many files were delivered."""
    target = transact(context.engine, lambda conn: targets.get_target(conn, taken.target_id))
    try:
        return _Courier(context, taken, target, open_bucket(context, target)).run()
    except BucketRefused as refused:
        reason, said = refused.code, str(refused)
    except AddressRefused as refused:
        reason, said = "address_refused", str(refused)
    transact(context.engine, lambda conn: deliveries.paused(conn, taken, reason, said))
    log.warning("delivery_paused", request_id=taken.request_id, target_id=taken.target_id, reason=reason)
    return 0


class _Courier:
    """One delivery in one thread."""

    def __init__(
        self, context: ClerkContext, taken: TakenDelivery, target: CheckedTarget, bucket: BucketAccess
    ) -> None:
        self._context, self._taken, self._target, self._bucket = context, taken, target, bucket
        self._lines = ResultLines(taken.columns, taken.templates)
        self._there = transact(context.engine, lambda conn: deliveries.there(conn, taken.request_id))

    def run(self) -> int:
        ends = monotonic() + _ROUND_SECONDS
        done, whole = 0, True
        for result in self._results(ItemState.RELEASED):
            for file in result.files:
                if (result.id, file.name) in self._there:
                    continue
                if monotonic() > ends:
                    whole = False
                    break
                self._bring(result, file)
                done += 1
        gone = transact(self._context.engine, lambda conn: deliveries.recalled(conn, self._taken.request_id))
        manifest = bool(gone) or (whole and self._taken.manifest_due)
        if manifest:
            self._write_manifest({(file.item_id, file.rendition) for file in gone})
        if gone:
            self._withdraw(gone)
        again: datetime | None = None
        if not whole:
            again = datetime.now(UTC)
        elif not manifest:
            again = datetime.now(UTC) + MANIFEST_EVERY
        transact(
            self._context.engine,
            lambda conn: deliveries.rested(conn, self._taken, wrote_manifest=manifest, again_at=again),
        )
        return done

    def _results(self, *states: str) -> Iterator[Result]:
        wanted = ResultFilter(self._taken.request_id, tuple(states))
        for page in results(self._context.engine.begin, self._taken.tenant, wanted):
            yield from page

    def _bring(self, result: Result, file: StoredRendition) -> None:
        """One file: there and recorded afterwards. Raises BucketRefused."""
        try:
            data = self._context.store.get(file.key)
        except NotFound:
            return  # recalled a moment ago
        if hashlib.sha256(data).hexdigest() != file.sha256:
            log.error("released_file_altered", asset_id=result.asset_id, rendition=file.name)
            raise BucketRefused("altered", f"{file.key} is not what was released")
        key = self._taken.prefix + self._lines.file_name(result, file)
        self._bucket.put_once(key, data, file.media_type)
        self._context.probe("object_delivered", None)
        there = DeliveredFile(str(result.asset_id), result.id, file.name, key, file.sha256, len(data))
        transact(self._context.engine, lambda conn: deliveries.delivered(conn, self._taken, there))
        self._there[result.id, file.name] = "delivered"

    def _write_manifest(self, without: set[tuple[str, str]]) -> None:
        shown = {file for file, state in self._there.items() if state == "delivered"} - without
        lines = (line for result in self._results() for line in self._lines.of(result))
        table, objects = manifests(self._lines.names, lines, shown)
        self._bucket.replace(self._taken.prefix + CSV_NAME, table, "text/csv; charset=utf-8")
        self._bucket.replace(self._taken.prefix + JSONL_NAME, objects, "application/x-ndjson")

    def _withdraw(self, gone: list[RecalledFile]) -> None:
        keeps = self._target.on_recall == "list"
        for file in gone:
            if not keeps:
                self._bucket.delete(file.key)
            with self._context.engine.begin() as conn:
                deliveries.withdrawn(conn, self._taken, file, state="listed" if keeps else "withdrawn")
