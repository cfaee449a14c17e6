"""Entry check: one stored entry compared with its own signed bytes: the leaf, the columns, the private text.

The bytes are what was signed. Columns exist to find an entry by, and a superuser can edit a column alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from policy.ledger.append import BODY_VERSION, commit
from policy.ledger.flaws import Flaw, LedgerProblem
from policy.ledger.reading.erasures import ErasureRecord
from policy.ledger.tree.merkle import leaf_hash

_COLUMNS = ("event_id", "tenant", "kind", "actor", "at")
_FIELDS = {"v", "subjects", "event", *_COLUMNS}

# Columns of `StoredEntry`, in its order; instants as the body spells them.
STORED_SQL = """e.id, CAST(e.event_id AS text), e.tenant, e.kind, e.actor, e.subjects,
  to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.body, e.leaf"""


class StoredEntry(NamedTuple):
    """A row of audit.entries."""

    entry_id: int
    event_id: str
    tenant: str
    kind: str
    actor: str
    subjects: list[str]
    at: str
    body: bytes
    leaf: bytes


class PrivateText(NamedTuple):
    """A row of audit.private."""

    salt: bytes
    value: str


def check_entry(
    stored: StoredEntry, index: int | None, secrets: Mapping[str, PrivateText], erased: Mapping[str, ErasureRecord]
) -> Iterator[LedgerProblem]:
    """Everything about one entry that contradicts its bytes. `index` is None while it is not sealed.

    `erased` is what other entries say was erased of it. Such text must be missing, and other text must be present.
    """
    if stored.leaf != leaf_hash(stored.body):
        yield entry_problem(Flaw.LEAF_EDITED, stored, index, "its stored leaf is not the hash of its bytes")
    body = _read(stored.body)
    if body is None:
        yield entry_problem(Flaw.BODY_UNREADABLE, stored, index, "its bytes are not an event of a version known here")
        return
    for column in _COLUMNS:
        if getattr(stored, column) != body[column]:
            said = f"column {column} says {getattr(stored, column)!r}, the bytes say {body[column]!r}"
            yield entry_problem(Flaw.COLUMN_EDITED, stored, index, said)
    if stored.subjects != body["subjects"]:
        said = f"column subjects says {stored.subjects}, the bytes say {body['subjects']}"
        yield entry_problem(Flaw.COLUMN_EDITED, stored, index, said)
    yield from _examine_private(stored, index, body["event"], secrets, erased)


def entry_problem(flaw: Flaw, stored: StoredEntry, index: int | None, what: str) -> LedgerProblem:
    """A problem of one entry, with its message in the form that all such problems share."""
    where = "unsealed" if index is None else f"leaf {index}"
    message = f"{stored.kind} event {stored.event_id} of {stored.at} ({where}, entry {stored.entry_id}): {what}"
    return LedgerProblem(flaw, message, index, stored.entry_id, stored.event_id, stored.kind, stored.at)


def _read(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    whole = isinstance(body, dict) and body.keys() == _FIELDS and body["v"] == BODY_VERSION
    return body if whole and isinstance(body["event"], dict) else None


def _examine_private(
    stored: StoredEntry,
    index: int | None,
    event: Mapping[str, Any],
    secrets: Mapping[str, PrivateText],
    erased: Mapping[str, ErasureRecord],
) -> Iterator[LedgerProblem]:
    promised = {
        name: value["commitment"] for name, value in event.items() if isinstance(value, dict) and "commitment" in value
    }
    for name, commitment in promised.items():
        secret = secrets.get(name)
        if secret is None and name in erased:
            continue
        if secret is None:
            gone = f"the private text of {name} is gone, and no event says that it was erased"
            yield entry_problem(Flaw.PRIVATE_MISSING, stored, index, gone)
        elif commit(secret.salt, secret.value) != commitment:
            changed = f"the private text of {name} does not fit its digest"
            yield entry_problem(Flaw.PRIVATE_EDITED, stored, index, changed)
        if secret is not None and name in erased:
            again = f"the private text of {name} is there, although event {erased[name].event_id} says it was erased"
            yield entry_problem(Flaw.PRIVATE_RETURNED, stored, index, again)
    for name in secrets.keys() - promised.keys():
        yield entry_problem(
            Flaw.PRIVATE_UNCLAIMED, stored, index, f"it has private text {name} that its bytes do not mention"
        )
