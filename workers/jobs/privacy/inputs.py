"""Erasure of inputs: what no task may use any more, and the objects that go with it.

    would_erase    what an erasure would do now                                                      caller: api
    erase_input    any but RECALLED -> ERASED, with its event; its name and files with its bytes go     caller: api
    expire_inputs  READY, unused for its retention period -> ERASED, with its event                    caller: clerk
    give_up_inputs the objects of erased inputs, which the clerk then deletes from the store           caller: clerk

Items that wait for an input that is erased fail when a worker claims them, each alone, with that reason. What is
under a legal hold, itself or by an item that was made from it, stays. Killed after `erase_input`: the clerk finds the
objects by their row, and forgets their keys in the transaction that gives them up.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from policy import events
from policy.ledger.append import append
from policy.ledger.erase import Why
from workers.errors import Conflict, NotFound, UnderLegalHold
from workers.jobs.inputs.tables import inputs, item_inputs
from workers.jobs.privacy import legal_holds, objects
from workers.jobs.privacy.orders import REQUESTED
from workers.jobs.privacy.retention import BASIS, STEP
from workers.jobs.privacy.select import CLERK
from workers.jobs.privacy.tables import legal_holds as holds_table
from workers.jobs.tables import items
from workers.jobs.types import new_id
from workers.jobs.uploads.files import dismiss_of_picture
from workers.states import ITEM_OPEN, ORDER_CHANNEL, InputState, ItemState

_GONE = {"state": InputState.ERASED, "name": "", "address": "", "lease_until": None}


class InputErasure(NamedTuple):
    """What an erasure would do: images that would fail, those that stay, and what keeps the input, if anything does."""

    state: str
    failing: int  # images that wait for it, or are being made
    held: int  # that wait for a person; they stay
    released: int  # that stay; a recall by this input takes them back
    kept_by: str | None  # legal_hold | recall


def erase_input(conn: Connection, tenant: str, id: str, actor: str) -> bool:
    """Any state but RECALLED -> ERASED; False if it was erased before. Raises NotFound, Conflict, UnderLegalHold."""
    ours = select(inputs.c.state, inputs.c.sha256, inputs.c.sent_sha256).where(
        inputs.c.id == id, inputs.c.tenant == tenant
    )
    row = conn.execute(ours.with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"no input {id}")
    legal_holds.keep_holds_out(conn, tenant)
    if conn.scalar(select(inputs.c.id).where(inputs.c.id == id, _held())) is not None:
        raise UnderLegalHold(f"input {id} is under a legal hold, itself or by an image that was made from it")
    if row.state == InputState.RECALLED:
        raise Conflict(f"input {id} was recalled with what was made from it; it is kept as evidence")
    if row.state == InputState.ERASED:
        return False
    now = func.clock_timestamp()
    settled = func.coalesce(inputs.c.settled_at, now)
    conn.execute(inputs.update().where(inputs.c.id == id).values(**_GONE, withdrawn_at=now, settled_at=settled))
    append(conn, tenant=tenant, actor=actor, events=[events.InputWithdrawn(id, "erased", row.sha256)])
    if row.sent_sha256:
        dismiss_of_picture(conn, tenant, row.sent_sha256, actor=actor)
    conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))
    return True


def would_erase(conn: Connection, tenant: str, id: str) -> InputErasure:
    """What `erase_input` would do now; nothing is changed. Raises NotFound."""
    ours = select(inputs.c.state, inputs.c.sha256, _held().label("held"))
    row = conn.execute(ours.where(inputs.c.id == id, inputs.c.tenant == tenant)).one_or_none()
    if row is None:
        raise NotFound(f"no input {id}")
    made = items.join(item_inputs, (item_inputs.c.item_id == items.c.id) & (item_inputs.c.tenant == items.c.tenant))
    counted = select(items.c.state, func.count(items.c.id.distinct())).select_from(made)
    rows = conn.execute(counted.where(item_inputs.c.input_id == id, items.c.tenant == tenant).group_by(items.c.state))
    by_state = {state: int(count) for state, count in rows}
    return InputErasure(
        state=row.state,
        failing=sum(count for state, count in by_state.items() if state in ITEM_OPEN),
        held=by_state.get(ItemState.HELD, 0),
        released=by_state.get(ItemState.RELEASED, 0),
        kept_by=_kept_by(row.state, held=row.held),
    )


def _kept_by(state: str, *, held: bool) -> str | None:
    return "legal_hold" if held else "recall" if state == InputState.RECALLED else None


def expire_inputs(conn: Connection, days: int) -> int:
    """One step: erase inputs of one tenant that no item has used for so long, nor waits for; how many."""
    last = func.coalesce(inputs.c.used_at, inputs.c.settled_at)
    age = func.make_interval(0, 0, 0, days)
    waiting = (
        exists()
        .where(item_inputs.c.input_id == inputs.c.id)
        .where(items.c.id == item_inputs.c.item_id, items.c.state.in_(ITEM_OPEN))
    )
    due = (
        select(inputs.c.id, inputs.c.tenant, inputs.c.sha256)
        .where(inputs.c.key.is_not(None), inputs.c.state == InputState.READY)
        .where(last < func.clock_timestamp() - age, ~waiting, ~_held())
        .order_by(inputs.c.settled_at)
    )
    first = conn.execute(due.limit(1)).one_or_none()
    if first is None:
        return 0
    legal_holds.keep_holds_out(conn, first.tenant)  # asked again below: now no hold can come in between
    theirs = due.where(inputs.c.tenant == first.tenant).limit(STEP).with_for_update(of=inputs, skip_locked=True)
    over = conn.execute(theirs).all()
    gone = inputs.update().where(inputs.c.id.in_([row.id for row in over]))
    conn.execute(gone.values(**_GONE, withdrawn_at=func.clock_timestamp()))
    withdrawn = [events.InputWithdrawn(row.id, BASIS, row.sha256) for row in over]
    append(conn, tenant=first.tenant, actor=CLERK, events=withdrawn)
    return len(over)


def give_up_inputs(conn: Connection) -> int:
    """One step: the objects of erased inputs of one tenant are given up, with an event each; how many."""
    left = select(inputs.c.id, inputs.c.tenant, inputs.c.key, inputs.c.original_key).where(
        inputs.c.state == InputState.ERASED, inputs.c.key.is_not(None)
    )
    rows = conn.execute(left.order_by(inputs.c.tenant).limit(STEP).with_for_update(skip_locked=True)).all()
    theirs = [row for row in rows if row.tenant == rows[0].tenant]
    if not theirs:
        return 0
    keys: dict[str, str | None] = {key: None for row in theirs for key in (row.key, row.original_key) if key}
    given_up = objects.give_up(conn, keys, tenant=theirs[0].tenant, why=Why(new_id(), REQUESTED, "input"))
    gone = inputs.update().where(inputs.c.id.in_([row.id for row in theirs]))
    conn.execute(gone.values(key=None, original_key=None))
    return given_up


def _held() -> ColumnElement[bool]:
    """Whether a legal hold covers the row of `inputs` around it: the whole tenant's, or one of an item made from it."""
    made = (
        exists()
        .where(item_inputs.c.input_id == inputs.c.id)
        .where(items.c.id == item_inputs.c.item_id, legal_holds.on_item())
    )
    of_all = exists().where(
        holds_table.c.tenant == inputs.c.tenant,
        holds_table.c.lifted_at.is_(None),
        holds_table.c.request_id.is_(None),
        holds_table.c.item_id.is_(None),
    )
    return or_(made, of_all)
