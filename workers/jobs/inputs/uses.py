"""Uses of inputs: which item is made from which, written at submit and read at the claim and the settlement.

An item waits, unplanned, while one of its inputs is still looked at: `all_settled` is what the planner asks. Then the
worker that claims the item sees the input's state, and `withdrawn` is asked again in the transaction that settles the
item, under a lock that a recall or an erasure of the input takes too. So nothing is released that was made from an
input whose withdrawal has committed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, case, func, select

from policy import events
from policy.ledger.append import append
from policy.verdict import Verdict
from workers.jobs.inputs.tables import inputs, item_inputs
from workers.jobs.tables import items
from workers.jobs.types import ItemInput
from workers.recipes import ROLES
from workers.states import INPUT_OPEN, InputState, ItemState

WITHOUT_INPUTS = frozenset({"text-to-image", "unconditional", "class-conditional"})  # tasks


def use(conn: Connection, tenant: str, made_from: Iterable[tuple[str, Mapping[str, str]]]) -> None:
    """Rows for (item, ids of its inputs by role). The foreign key and the tenant's wall refuse an input of another."""
    rows = [
        {"item_id": item_id, "role": role, "input_id": input_id, "tenant": tenant}
        for item_id, by_role in made_from
        for role, input_id in by_role.items()
    ]
    if not rows:
        return
    conn.execute(item_inputs.insert(), rows)
    used = {row["input_id"] for row in rows}
    conn.execute(inputs.update().where(inputs.c.id.in_(used)).values(used_at=func.clock_timestamp()))


def all_settled() -> ColumnElement[bool]:
    """Whether the row of `items` in the statement around it waits for none of its inputs."""
    joined = item_inputs.join(inputs, inputs.c.id == item_inputs.c.input_id)
    open_inputs = select(item_inputs.c.item_id).select_from(joined).where(inputs.c.state.in_(INPUT_OPEN))
    waiting = open_inputs.where(item_inputs.c.item_id == items.c.id).correlate(items).exists()
    return ~waiting


def inputs_of_batch(conn: Connection, batch_id: str) -> dict[str, tuple[ItemInput, ...]]:
    """What the open members of a batch are made from, by item, in the order of the roles."""
    order = case({role: n for n, role in enumerate(ROLES)}, value=item_inputs.c.role)
    rows = conn.execute(
        select(item_inputs.c.item_id, item_inputs.c.role, inputs)
        .join(inputs, inputs.c.id == item_inputs.c.input_id)
        .join(items, items.c.id == item_inputs.c.item_id)
        .where(items.c.batch_id == batch_id, items.c.state == ItemState.PLANNED)
        .order_by(item_inputs.c.item_id, order)
    )
    found: dict[str, list[ItemInput]] = defaultdict(list)
    for row in rows:
        found[row.item_id].append(
            ItemInput(
                role=row.role,
                input_id=row.id,
                state=row.state,
                sha256=row.sha256,
                key=row.key,
                original_key=row.original_key,
                media_type=row.media_type or "",
                verdict=Verdict.from_json(row.verdict) if row.verdict else None,
                marks=row.marks,
                consent=bool(row.consent),
            )
        )
    return {item_id: tuple(theirs) for item_id, theirs in found.items()}


def recall_input(conn: Connection, tenant: str, input_id: str, actor: str) -> None:
    """READY -> RECALLED, with its event: nothing is made from it any more. Its picture stays, as evidence."""
    recalled = conn.execute(
        inputs.update()
        .where(inputs.c.id == input_id, inputs.c.tenant == tenant, inputs.c.state == InputState.READY)
        .values(state=InputState.RECALLED, withdrawn_at=func.clock_timestamp())
        .returning(inputs.c.sha256)
    ).one_or_none()
    if recalled is not None:
        withdrawal = events.InputWithdrawn(input_id, "recalled", recalled.sha256)
        append(conn, tenant=tenant, actor=actor, events=[withdrawal])


def withdrawn(conn: Connection, input_ids: Collection[str]) -> dict[str, str]:
    """Of these inputs those that nobody may use any more, with their state; the others stay usable until the commit."""
    if not input_ids:
        return {}
    locked = select(inputs.c.id, inputs.c.state).where(inputs.c.id.in_(input_ids)).order_by(inputs.c.id)
    rows = conn.execute(locked.with_for_update(read=True)).all()
    return {row.id: row.state for row in rows if row.state != InputState.READY}
