"""`presswork audit reconcile`: what jobs, store and ledger have of each other, and what one of them lacks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine

from deploy import reconciliation
from deploy.reconciliation import Place, reconcile
from tests.support.line import Line, new_item, released
from workers.errors import NotFound
from workers.jobs.settle import settle
from workers.store import StoredObject

OLD = datetime.now(UTC) - timedelta(days=30)


class Shelf:
    """An object store in memory."""

    def __init__(self, files):
        self.files, self.fetched = dict(files), 0

    def get(self, key):
        self.fetched += 1
        if key not in self.files:
            raise NotFound(key)
        return self.files[key]

    def list(self, prefix, *, page_size=1_000, after=""):
        keys = sorted(key for key in self.files if key.startswith(prefix) and key > after)
        return (StoredObject(key, len(self.files[key]), OLD) for key in keys)


class Made(NamedTuple):
    """Released pictures, and the auditor's way to them."""

    auditor: Engine
    outcomes: Sequence[Any]


@pytest.fixture
def line(database):
    """Three released pictures, whose bytes are their keys."""
    line = Line.on(database)
    held = line.claim(line.dispatch(line.submit("acme", 3, new_items=[new_item(n) for n in (1, 2, 3)])))
    outcomes = []
    for item in held.items:
        outcome = released(held, item)
        files = tuple(
            replace(file, sha256=hashlib.sha256(file.key.encode()).hexdigest()) for file in outcome.renditions
        )
        outcomes.append(replace(outcome, renditions=files))
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)
    return Made(line.auditor, outcomes)


@pytest.fixture
def store(line):
    return Shelf({file.key: file.key.encode() for each in line.outcomes for file in each.renditions})


def compared(line, store, **options):
    with line.auditor.connect() as conn:
        return list(reconcile(conn, store, **options))


def kinds(pages):
    return sorted(each.kind for page in pages for each in page.differences)


def test_what_agrees_is_compared_to_the_end(line, store):
    pages = compared(line, store)
    assert kinds(pages) == []
    counts = {step: sum(page.compared for page in pages if page.step == step) for step in reconciliation.STEPS}
    assert counts == {"assets": 3, "events": 3, "items": 3, "objects": 3, "strays": len(store.files)}
    assert pages[-1].next is None


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (
            "delete from audit.entries where kind = 'item.released' and subjects @> array['asset:{asset}']",
            "asset_untold",
        ),
        ("update renditions set sha256 = repeat('0', 64) where asset_id = '{asset}'", "asset_differs"),
        ("delete from renditions where asset_id = '{asset}'", "asset_differs"),
        ("delete from renditions where asset_id = '{asset}'; delete from assets where id = '{asset}'", "event_unknown"),
    ],
)
def test_what_a_superuser_changed_on_one_side_is_named(line, store, database, statement, kind):
    with database.engine("superuser").begin() as conn:
        conn.exec_driver_sql("set session_replication_role = replica")
        conn.exec_driver_sql("alter table audit.entries disable trigger all")
        for part in statement.format(asset=line.outcomes[1].asset_id).split(";"):
            conn.exec_driver_sql(part)
    assert kind in kinds(compared(line, store))


def test_objects_that_are_gone_or_other_or_nobody_s_are_named(line, store):
    gone, other = (line.outcomes[n].renditions[0].key for n in (0, 1))
    del store.files[gone]
    store.files[other] = b"other bytes"
    store.files["released/acme/nobody/1/original.png"] = b"x"
    assert kinds(compared(line, store)) == ["object_differs", "object_missing", "stray"]


def test_a_share_fetches_the_same_ones_each_time_and_none_of_nothing(line, store):
    compared(line, store, share=0.0)
    assert store.fetched == 0
    compared(line, store, share=1.0)
    assert store.fetched == len(store.files)


def test_a_run_that_was_stopped_goes_on(line, store, monkeypatch):
    monkeypatch.setattr(reconciliation, "PAGE", 1)
    whole = compared(line, store)
    for place in (page.next for page in whole[:-1]):
        rest = compared(line, store, start=Place(*place))
        assert [page.step for page in rest] == [page.step for page in whole[len(whole) - len(rest) :]]


def test_the_command_keeps_its_place_and_fails_on_a_difference(line, database, s3, settings_for, tmp_path):
    from tests.deploy.audit.test_audit_command import Audited  # noqa: PLC0415

    ledger, kept = Audited(database, settings_for, tmp_path / "keys"), tmp_path / "progress"
    told = ledger.call("reconcile", "--share", "0", "--progress", str(kept))
    assert told.exit_code == 0, told.output
    assert "3 assets, 3 events, 3 items, 0 objects" in told.output
    assert not kept.exists()
    missing = ledger.call("reconcile", "--json")
    assert missing.exit_code == 1
    assert {json.loads(row)["kind"] for row in missing.stdout.splitlines()} == {"object_missing"}
    kept.write_text("nonsense")
    assert ledger.call("reconcile", "--progress", str(kept)).exit_code == 2
