"""Deliveries of catalogues: what is live, brought to a tenant's bucket after each flip, rollback, removal and recall.

    objects   each file under a name that its digest is part of, written once: nothing is overwritten
    feed.csv, errors.csv, run.json, manifest.jsonl, manifest.csv    then, so that they name only what is there
    withdraw  files of recalled pictures at once, files that no manifest has named for 30 days

Killed anywhere, the lease runs out and the next round goes on: an object that is there is found by its digest, and the
old manifest names objects that are all still there. What the bucket does not take stops this delivery alone.
"""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from time import monotonic
from typing import Any, BinaryIO, cast

import structlog
from sqlalchemy import Row

from workers.clerk.context import ClerkContext
from workers.clerk.deliveries import open_bucket
from workers.database import transact
from workers.delivery.bucket import BucketAccess, BucketRefused
from workers.delivery.catalogue_files import ERRORS_NAME, FEED_NAME, write_errors, write_feed
from workers.delivery.catalogue_lines import BEHIND, COLUMNS, about_run, object_name, slot_lines
from workers.delivery.feed_rows import FeedRows
from workers.delivery.manifests import CSV_NAME, JSONL_NAME
from workers.delivery.outcome import with_apostrophe
from workers.errors import AddressRefused, NotFound
from workers.jobs.catalogue.views import LiveSlot, get_catalogue_by_id, get_plan, last_applied, live_slots, unmade
from workers.jobs.delivery import catalogue_deliveries as deliveries
from workers.jobs.delivery import targets
from workers.jobs.delivery.catalogue_deliveries import CatalogueObject, TakenCatalogue
from workers.jobs.delivery.targets import CheckedTarget
from workers.jobs.types import StoredRendition
from workers.store import rows_key

log = structlog.get_logger()
_AT_ONCE = 3  # deliveries of one round
_ROUND_SECONDS = 120.0  # of one delivery; then the others have their turn
_MEMORY_BYTES = 1024 * 1024  # of a manifest; beyond it lies on disk
_OBJECT = "object"  # the column that says where a file lies, below the prefix
_RUN_NAME = "run.json"
_CSV = "text/csv; charset=utf-8"


def run_once(context: ClerkContext) -> int:
    """Some deliveries that are due; how much was done."""
    taken = list[TakenCatalogue]()
    while len(taken) < _AT_ONCE and (one := transact(context.engine, deliveries.take)):
        taken.append(one)
    if not taken:
        return 0
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="catalogues") as pool:
        return sum(pool.map(lambda one: _deliver(context, one), taken))


def _deliver(context: ClerkContext, taken: TakenCatalogue) -> int:
    target = transact(context.engine, lambda conn: targets.get_target(conn, taken.target_id))
    try:
        return _CatalogueCourier(context, taken, target, open_bucket(context, target)).run()
    except BucketRefused as refused:
        reason, said = refused.code, str(refused)
    except AddressRefused as refused:
        reason, said = "address_refused", str(refused)
    with context.engine.begin() as conn:
        name = get_catalogue_by_id(conn, taken.tenant, taken.catalogue_id).name
        deliveries.paused(conn, taken, name, reason, said)
    log.warning("catalogue_delivery_paused", catalogue_id=taken.catalogue_id, target_id=taken.target_id, reason=reason)
    return 0


class _CatalogueCourier:
    """One round of one delivery in one thread."""

    def __init__(
        self, context: ClerkContext, taken: TakenCatalogue, target: CheckedTarget, bucket: BucketAccess
    ) -> None:
        self._context, self._taken, self._target, self._bucket = context, taken, target, bucket
        self._ends = monotonic() + _ROUND_SECONDS
        self._files = self._brought = 0
        self._names = dict[str, str]()  # of each key's first object

    def run(self) -> int:
        """How many files were brought."""
        with (
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as table,
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as objects,
        ):
            table.write(b"\xef\xbb\xbf" + _row((*COLUMNS, *BEHIND, _OBJECT)))
            is_whole = self._read(cast(Any, table), cast(Any, objects))
            if is_whole and not transact(self._context.engine, lambda conn: deliveries.moved(conn, self._taken)):
                self._list(cast(Any, table), cast(Any, objects))
        transact(self._context.engine, lambda conn: deliveries.rested(conn, self._taken, is_whole=is_whole))
        return self._brought

    def _read(self, table: Any, objects: Any) -> bool:
        """Brings what is live and is not there yet, and writes the lines; False where the time is over."""
        for page in live_slots(self._context.engine.begin, self._taken.tenant, self._taken.catalogue_id):
            lines = [(slot, file, line) for slot in page for file, line in slot_lines(slot)]
            keys = [self._taken.prefix + object_name(line) for _, _, line in lines]
            with self._context.engine.begin() as conn:
                there = deliveries.there(conn, self._taken, keys)
            for key, (slot, file, line) in zip(keys, lines, strict=True):
                if key not in there:
                    if monotonic() > self._ends:
                        return False
                    if not self._bring(key, slot, file):
                        continue
                table.write(_row((*line.values(), object_name(line))))
                objects.write(f"{json.dumps({**line, _OBJECT: object_name(line)}, ensure_ascii=False)}\n".encode())
                self._files += 1
                if slot.view == 1:
                    self._names.setdefault(slot.key, object_name(line))
        return True

    def _bring(self, key: str, slot: LiveSlot, file: StoredRendition) -> bool:
        """The file is there and recorded afterwards; False where it was recalled a moment ago."""
        try:
            data = self._context.store.get(file.key)
        except NotFound:
            return False
        if hashlib.sha256(data).hexdigest() != file.sha256:
            log.error("released_file_altered", asset_id=slot.asset_id, rendition=file.name)
            raise BucketRefused("altered", f"{file.key} is not what was released")
        self._bucket.put_once(key, data, file.media_type)
        self._context.probe("object_delivered", None)
        new = CatalogueObject(key, slot.asset_id, slot.item_id, file.name, file.sha256, len(data))
        transact(self._context.engine, lambda conn: deliveries.put(conn, self._taken, new))
        self._brought += 1
        return True

    def _list(self, table: Any, objects: Any) -> None:
        """The manifest names what is live; what it names no longer is deleted when its time is over."""
        with self._context.engine.begin() as conn:
            catalogue = get_catalogue_by_id(conn, self._taken.tenant, self._taken.catalogue_id)
            run = last_applied(conn, self._taken.tenant, self._taken.catalogue_id)
            plan = get_plan(conn, self._taken.tenant, run.plan_id) if run else None
        if run and plan:
            self._tell_rows(run, plan)
            about = json.dumps(about_run(catalogue.name, run, plan), ensure_ascii=False, indent=2).encode()
            self._replace(_RUN_NAME, "application/json", about)
        self._replace(JSONL_NAME, "application/x-ndjson", _whole(objects))
        self._replace(CSV_NAME, _CSV, _whole(table))
        self._context.probe("manifest_delivered", None)
        with self._context.engine.begin() as conn:
            old = deliveries.listed(conn, self._taken, run=catalogue.runs, files=self._files)
        for one, was_recalled in old:
            keeps = was_recalled and self._target.on_recall == "list"
            if not keeps:
                self._bucket.delete(one.key)
            state = "listed" if keeps else "withdrawn" if was_recalled else "replaced"
            with self._context.engine.begin() as conn:
                deliveries.gone(conn, self._taken, one, state)

    def _tell_rows(self, run: Row[Any], plan: Row[Any]) -> None:
        """feed.csv and errors.csv, of the rows that the apply read; without them, those that are there stay."""
        address = plan.spec["deliver"].get("address", "") if plan.spec.get("deliver") else ""
        with self._context.engine.begin() as conn:
            found = list(unmade(conn, self._taken.tenant, run))
        with (
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as read,
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as feed,
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as errors,
        ):
            try:
                for piece in self._context.store.stream(rows_key(str(plan.feed_key))):
                    read.write(piece)
            except NotFound:
                log.warning("catalogue_rows_missing", catalogue_id=self._taken.catalogue_id, plan_id=plan.id)
                return
            rows = FeedRows(cast(BinaryIO, read))
            write_feed(cast(BinaryIO, feed), rows, self._names, address)
            write_errors(cast(BinaryIO, errors), rows, found)
            self._replace(FEED_NAME, _CSV, _whole(feed))
            self._replace(ERRORS_NAME, _CSV, _whole(errors))

    def _replace(self, name: str, media_type: str, data: bytes) -> None:
        self._bucket.replace(self._taken.prefix + name, data, media_type)


def _row(cells: Iterable[Any]) -> bytes:
    line = StringIO(newline="")
    csv.writer(line).writerow([with_apostrophe(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def _whole(file: Any) -> bytes:
    file.seek(0)
    return bytes(file.read())
