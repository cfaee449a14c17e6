"""Query plans: no statement of a round reads a table that grows with every image from end to end.

Every statement that the processes send while a request goes from its submission to its webhook is explained again with
sequential scans forbidden. One that is planned all the same has no index that could serve it, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from tests.support.fakes import FakeSampler
from tests.support.line import Line
from tests.support.recalls import Recalling
from tests.support.receiver import deliver, listen, receiving
from tests.support.worker import Works
from workers.clerk import loop as clerk
from workers.jobs.recall.criteria import Criteria
from workers.planning import backlog

# A row for every image, batch, message or event: a million a day of some of them.
GROWING = frozenset(
    {
        *("items", "batches", "assets", "renditions", "holds", "reviews", "item_inputs", "webhook_deliveries"),
        *("webhook_attempts", "entries", "private", "sequence", "nodes", "checkpoints", "fingerprints"),
    }
)
Sent = dict[str, tuple[Engine, Any]]


@contextmanager
def sent_statements() -> Iterator[Sent]:
    """Every statement that any engine of this process sends, with the engine and the parameters of its first time."""
    found: Sent = {}

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        found.setdefault(statement, (conn.engine, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _scanned(plan: Any) -> Iterator[str]:
    """Tables that a plan reads from end to end."""
    if isinstance(plan, list):
        for part in plan:
            yield from _scanned(part)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan":
            yield plan["Relation Name"]
        for part in plan.values():
            yield from _scanned(part)


def _plan(engine: Engine, statement: str, parameters: Any) -> Any:
    with engine.connect() as conn:
        conn.execute(text("set local enable_seqscan = off"))
        return conn.exec_driver_sql(f"explain (format json) {statement}", parameters).scalar_one()


def _whole_reads(sent: Sent) -> dict[str, set[str]]:
    verbs = ("select", "with", "update", "delete", "insert")
    asked = {one: by for one, by in sent.items() if one.lstrip().lower().startswith(verbs)}
    found = {one: set(_scanned(_plan(by[0], one, by[1]))) & GROWING for one, by in asked.items()}
    return {one: tables for one, tables in found.items() if tables}


@pytest.fixture
def works(line: Line, settings_for: Any, s3: Any) -> Works:
    return Works(line, settings_for, s3)


def test_no_round_of_a_process_reads_a_growing_table_from_end_to_end(works: Works, settings_for: Any, s3: Any) -> None:
    recalling = Recalling(works.line, settings_for, s3)
    with receiving() as receiver, sent_statements() as sent:
        batch_id = works.batch(1)
        listen(works.line, receiver.url)
        works.look()
        works.executor(FakeSampler()).run(batch_id)
        deliver(recalling)
        recalling.order(Criteria(model="studio"))
        clerk.run_once(recalling.context())
        deliver(recalling)
        backlog.any_open(works.line.worker)
    assert len(sent) > 60, "the whole way was seen"
    assert _whole_reads(sent) == {}
