"""Invariants that hold by how the code is built, read from the code itself. The others have tests that run it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules

from sqlalchemy import LargeBinary

from api import schemas
from api.schemas.base import ReplyModel
from tests.support.repository import modules, nodes, text
from workers.jobs.tables import metadata
from workers.queue import Queue

WRITERS = ("workers/jobs/", "policy/ledger/")
# Break copies of a log, in a Postgres of their own, to show that the verifier names each change.
VANDALS = ("deploy/drill/run.py", "deploy/drill/tampering_cases.py", "deploy/drill/log.py")
TABLES = ("workers.jobs.tables", "workers.jobs.privacy.tables", "policy.ledger.tables")
_SQL_WRITE = re.compile(r"\b(INSERT\s+INTO|UPDATE\s+[\w.]+\s+SET|DELETE\s+FROM|TRUNCATE)\b", re.IGNORECASE)


def test_rows_are_written_in_the_job_line_and_the_ledger_only() -> None:
    elsewhere = [
        f"{path}:{call.lineno}"
        for path in modules("api", "deploy", "policy", "workers")
        if not path.startswith(WRITERS) and (tables := _imported_tables(path))
        for call in nodes(path, ast.Call)
        if _writes_a_row(call, tables)
    ]
    assert elsewhere == []


def test_sql_that_writes_is_spelled_in_the_job_line_and_the_ledger_only() -> None:
    elsewhere = [
        f"{path}:{node.lineno}"
        for path in modules("api", "deploy", "policy", "workers")
        if not path.startswith(WRITERS) and path not in VANDALS
        for node in nodes(path, ast.Constant)
        if isinstance(node.value, str) and _SQL_WRITE.search(node.value)
    ]
    assert elsewhere == []


def _imported_tables(path: str) -> set[str]:
    """Names under which a module knows tables, or a module of tables."""
    found = {
        alias.asname or alias.name
        for node in nodes(path, ast.ImportFrom)
        for alias in node.names
        if node.module in TABLES or f"{node.module}.{alias.name}" in TABLES
    }
    return found | {
        (alias.asname or alias.name).split(".")[0]
        for node in nodes(path, ast.Import)
        for alias in node.names
        if alias.name in TABLES
    }


def _writes_a_row(call: ast.Call, tables: set[str]) -> bool:
    """table.insert(), tables.table.insert(), or insert(table)."""
    called, verbs = call.func, ("insert", "update", "delete")
    if isinstance(called, ast.Attribute) and called.attr in verbs:
        return _root(called.value) in tables
    named = {_root(argument) for argument in call.args}
    return isinstance(called, ast.Name) and called.id in verbs and bool(tables & named)


def _root(node: ast.expr) -> str:
    """ "a" of a.b.c; "" where the expression begins with something else than a name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_the_reconciler_is_the_only_retry_of_a_batch() -> None:
    celerys_own = re.compile(
        r"autoretry_for|(?<!connection_)max_retries=|\.retry\(|retry_backoff|countdown=|apply_async"
    )
    assert [path for path in modules("api", "policy", "workers") if celerys_own.search(text(path))] == []
    (send,) = [call for call in nodes("workers/queue.py", ast.Call) if ast.unparse(call.func).endswith(".send_task")]
    assert "retry=False" in {ast.unparse(keyword) for keyword in send.keywords}


def test_the_release_put_has_two_callers() -> None:
    """What policy allowed leaves by finish; what a person released leaves by the clerk's duty, and by nothing else."""
    knowing = {
        path
        for path in modules("api", "deploy", "policy", "workers")
        for name in (*nodes(path, ast.Name), *nodes(path, ast.Attribute), *nodes(path, ast.alias))
        if "released_key" in (getattr(name, "id", ""), getattr(name, "attr", ""), getattr(name, "name", ""))
    }
    assert knowing == {"workers/gpu/finish.py", "workers/clerk/releases.py"}
    spelled = re.compile(r"[\"'f]released/")  # nobody builds such a key by hand
    assert [path for path in modules("api", "policy", "workers") if spelled.search(text(path))] == []


def test_no_table_no_message_and_no_reply_holds_image_bytes() -> None:
    for declaring in modules("workers/jobs"):
        if declaring.endswith("/tables.py"):
            import_module(declaring.removesuffix(".py").replace("/", "."))
    binary = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    # Hashes of pictures, and of plain ones the mean colours of 8 x 8 parts: 192 bytes, by a CHECK.
    hashes = {f"fingerprints.{name}" for name in ("whole", "crops", "codes", "thumbnail")}
    assert binary == {"api_keys.sha256", "console_sessions.token_sha256", "idempotency_keys.fingerprint", *hashes}
    assert [parameter.annotation for parameter in signature(Queue.send).parameters.values()][1:] == ["str", "str"]
    for module in iter_modules(schemas.__path__):
        import_module(f"{schemas.__name__}.{module.name}")
    replies = list(_below(ReplyModel))
    assert len(replies) > 30
    assert not any("bytes" in str(field.annotation) for reply in replies for field in reply.model_fields.values())


def _below(base: type[ReplyModel]) -> Iterator[type[ReplyModel]]:
    for reply in base.__subclasses__():
        yield reply
        yield from _below(reply)
