"""New inputs: a picture that was sent is one row, however often its tenant sends the same file.

Killed before the commit: the upload lies in inbox/ without a row, and the sweep deletes it after an hour. Killed after
it: the row waits for its intake, and the same upload again finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import Insert, insert

from policy import events
from policy.ledger.append import append
from workers.errors import Stale, TooManyInputs
from workers.jobs.inputs.tables import inputs
from workers.states import INPUT_OPEN, QUESTION_CHANNEL, InputState

_OF_CONTENT = "origin <> 'address' AND state NOT IN ('failed', 'erased')"  # as its index says: parameters do not match
_CHUNK = 500  # rows of a statement
MOST_OPEN = 20_000  # inputs of one tenant that wait for their intake; an archive holds up to 10,000


class NewInput(NamedTuple):
    """A picture to take in. Of one to be fetched, digest, size and object are not known yet."""

    id: str
    tenant: str
    key_id: str
    origin: str  # upload | address | archive
    name: str = ""
    address: str = ""
    consent: str = ""
    object: str | None = None
    sent_sha256: str | None = None
    sent_bytes: int | None = None
    width: int | None = None  # as its header says, upright; what the decoder finds replaces it
    height: int | None = None


def known(conn: Connection, tenant: str, sent_sha256: str) -> str | None:
    """The id of the input that these bytes already are; None: they are new."""
    return conn.scalar(
        select(inputs.c.id).where(
            inputs.c.tenant == tenant,
            inputs.c.sent_sha256 == sent_sha256,
            inputs.c.origin != "address",
            inputs.c.state.not_in((InputState.FAILED, InputState.ERASED)),
        )
    )


def receive(conn: Connection, new: NewInput) -> str:
    """The id of the input: a new one, or the one that these very bytes already are. Raises TooManyInputs, and Stale."""
    _demand_room(conn, new.tenant, 1)
    added = _unless_known(insert(inputs).values(state=InputState.RECEIVED, **new._asdict())).returning(inputs.c.id)
    if conn.scalar(added) is not None:
        _record(conn, new, new.id)
        conn.execute(select(func.pg_notify(QUESTION_CHANNEL, "")))
        return new.id
    found = known(conn, new.tenant, new.sent_sha256 or "")
    if found is None:
        raise Stale("the same file was erased at this very moment; send it again")
    if new.consent and _consented(conn, found, new.consent):
        _record(conn, new, found)
    return found


def receive_all(conn: Connection, new_inputs: Sequence[NewInput]) -> dict[str, str]:
    """Ids by digest, of one tenant's pictures with digests that differ: new inputs, or those that they already are."""
    ids: dict[str, str] = {}
    for start in range(0, len(new_inputs), _CHUNK):
        some = new_inputs[start : start + _CHUNK]
        _demand_room(conn, some[0].tenant, len(some))
        rows = [{"state": InputState.RECEIVED, **new._asdict()} for new in some]
        added = _unless_known(insert(inputs).values(rows)).returning(inputs.c.id, inputs.c.sent_sha256)
        fresh = {row.sent_sha256: row.id for row in conn.execute(added)}
        events_of = [_event(new, new.id) for new in some if fresh.get(new.sent_sha256) == new.id]
        append(conn, tenant=some[0].tenant, actor=f"key:{some[0].key_id}", events=events_of)
        ids |= fresh
        for new in some:
            if new.sent_sha256 not in ids and (found := known(conn, new.tenant, new.sent_sha256 or "")):
                ids[new.sent_sha256 or ""] = found
    conn.execute(select(func.pg_notify(QUESTION_CHANNEL, "")))
    return ids


def _consented(conn: Connection, id: str, consent: str) -> bool:
    """A consent that was not stated before is kept; what was stated stays."""
    stated = inputs.update().where(inputs.c.id == id, inputs.c.consent == "").values(consent=consent)
    return conn.execute(stated).rowcount == 1


def _unless_known(statement: Insert) -> Insert:
    return statement.on_conflict_do_nothing(
        index_elements=[inputs.c.tenant, inputs.c.sent_sha256], index_where=text(_OF_CONTENT)
    )


def _demand_room(conn: Connection, tenant: str, more: int) -> None:
    waiting = select(inputs.c.id).where(inputs.c.tenant == tenant, inputs.c.state.in_(INPUT_OPEN))
    counted = select(func.count()).select_from(waiting.limit(MOST_OPEN).subquery())
    if (conn.scalar(counted) or 0) + more > MOST_OPEN:
        raise TooManyInputs(f"{MOST_OPEN:,} pictures of this tenant wait to be looked at; send more when some are")


def _record(conn: Connection, new: NewInput, id: str) -> None:
    append(conn, tenant=new.tenant, actor=f"key:{new.key_id}", events=[_event(new, id)])


def _event(new: NewInput, id: str) -> events.InputReceived:
    return events.InputReceived(id, new.key_id, new.origin, new.sent_sha256, bool(new.consent))
