"""Watch on every transaction of this process: no change of state without an event, no event without a change.

Statements are read as SQLAlchemy sends them, so the watch sees what the verbs write, in every test that runs them, and
nothing of the SQL that is written by hand. A transaction is judged when it commits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.sql.dml import Delete, Insert, Update, UpdateBase

# A row of these is the record of an act.
RECORDS = frozenset(
    {
        *("tenants", "api_keys", "requests", "batches", "assets", "holds", "reviews", "recalls", "legal_holds"),
        *("erasures", "inputs", "batch_jobs", "model_decisions", "pilot_decisions", "webhooks"),
    }
)
# In any table, a change of one of these columns moves something on.
STATES = frozenset({"state", "phase", "revoked_at", "deleted_at", "lifted_at", "withdrawn_at", "finished_at"})
# Tables whose states are of machinery, not of the record.
MACHINERY = frozenset(
    {
        *("webhook_deliveries", "webhook_attempts", "identifications", "idempotency_keys", "gpu_workers", "devices"),
        *("worker_refusals", "erasure_targets", "removals", "sweeps", "fingerprints", "unindexed", "recall_assets"),
    }
)
# Events that are the whole act: a link was given out, a file was sent, a text was kept, a database came back.
ACTS = frozenset(
    {
        *("asset.linked", "asset.downloaded", "hold.viewed", "database.restored", "picture.identified", "text.erased"),
        *("policy.registered", "model.registered", "verifier.registered"),
    }
)
# Changes that come of an act that is told before, and whose own effects are told after.
UNTOLD = frozenset(
    {
        "update erasures state",  # the clerk listed what an order means; each step of erasing, and the end, is told
    }
)
_ASSIGNED = re.compile(r"\b(\w+)=")
_APPENDS = "INSERT INTO audit.entries"


class WholeChanges:
    """What was written in open transactions, and the transactions that broke the law. One a process."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def statement(self, conn: Connection, cursor: Any, sql: str, values: Any, context: Any, many: bool) -> None:
        written: list[tuple[str, str]] = conn.info.setdefault("written", [])
        if _APPENDS in sql:
            written += [("event", kind) for kind in _kinds(values)]
            return
        statement = context.compiled.statement if context is not None and context.compiled is not None else None
        if isinstance(statement, UpdateBase) and cursor.rowcount != 0:
            written.append(("change", _change(statement, sql)))

    def savepoint(self, conn: Connection, name: str) -> None:
        conn.info.setdefault("savepoints", {})[name] = len(conn.info.get("written", ()))

    def back_to_savepoint(self, conn: Connection, name: str, context: None) -> None:
        del conn.info.get("written", [])[conn.info.get("savepoints", {}).get(name, 0) :]

    def begin(self, conn: Connection) -> None:
        conn.info.pop("written", None)

    def commit(self, conn: Connection) -> None:
        if flaw := flaw_of(conn.info.pop("written", [])):
            self.broken.append(flaw)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """From now on, on every engine of this process."""
        listeners = {
            "after_cursor_execute": self.statement,
            "savepoint": self.savepoint,
            "rollback_savepoint": self.back_to_savepoint,
            "begin": self.begin,
            "commit": self.commit,
        }
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(Engine, name, listener)


def flaw_of(written: list[tuple[str, str]]) -> str | None:
    """Why these writes of one transaction are no whole change; None if they are."""
    events = [kind for what, kind in written if what == "event"]
    changes = [change for what, change in written if what == "change"]
    moved = [change for change in changes if change.startswith("!")]
    if moved and not events:
        return f"a change without an event: {', '.join(sorted(set(moved)))}"
    if events and not changes and not set(events) <= ACTS:
        return f"an event without a change: {', '.join(sorted(set(events) - ACTS))}"
    return None


def _change(statement: UpdateBase, sql: str) -> str:
    """The statement in a word; "!" before it if it is of the record."""
    table = statement.table.name  # type: ignore[attr-defined]
    if isinstance(statement, Insert):
        return f"{'!' * (table in RECORDS)}insert {table}"
    if isinstance(statement, Delete):
        return f"{'!' * (table in RECORDS)}delete {table}"
    assert isinstance(statement, Update)
    assigned = set(_ASSIGNED.findall(sql.partition(" SET ")[2].partition(" WHERE ")[0]))
    moves = sorted(STATES & assigned) if table not in MACHINERY else []
    change = f"update {table} {' '.join(moves)}".rstrip()
    return f"{'!' * (bool(moves) and change not in UNTOLD)}{change}"


def _kinds(values: Any) -> list[str]:
    return list(values["kinds"]) if isinstance(values, dict) else []
