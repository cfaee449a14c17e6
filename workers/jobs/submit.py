"""Submission: stores a request with all its items, or nothing.

One transaction: killed anywhere before its commit, nothing exists; after it, everything does. Items
come as an iterable and are written in chunks, so memory does not grow with the spreadsheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Dialect, TextClause, func, select, text
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.ledger.append import append, timestamp
from policy.verdict import Decision
from workers.cost.forecast import Take
from workers.errors import Stale
from workers.jobs.control import breaker, budget, pilots, reuse, spending
from workers.jobs.control.phases import end_settled
from workers.jobs.delivery import deliveries
from workers.jobs.drawings.drawings import take
from workers.jobs.inputs.uses import use
from workers.jobs.tables import items, recipes, requests
from workers.jobs.types import NewItem, NewPilot, NewRequest, new_id
from workers.recipes import Recipe
from workers.states import FINISHING, WAKE_CHANNEL, ItemState, RequestPhase

_CHUNK = 1000  # rows a statement; more gains nothing and holds more memory


@dataclass(frozen=True, slots=True)
class Submitted:
    """How many items were stored, how many of them were refused by their prompt at once, and how many were there.

    `reencoded` take a kept drawing: their files are made anew, and no device draws.
    """

    items: int
    refused: int
    reused: int = 0
    reencoded: int = 0


def submit(conn: Connection, request: NewRequest, new_items: Iterable[NewItem]) -> Submitted:
    """Store the request, its items and its events, and wake the planner at commit.

    Raises BudgetExceeded, and ValueError for a request without items: the caller answers for its shape.
    """
    stored = refused = reused = reencoded = rows_made = last_row = 0
    wanted = budget.Reservation(request.currency)
    named: dict[str, Recipe] = {}
    queues = {request.queue}
    for chunk in _chunks(new_items):
        named |= {item.recipe.id: item.recipe for item in chunk}
        queues |= {item.queue for item in chunk if item.queue}
        ids = [new_id() for _ in chunk]
        there = _there(conn, request, chunk)
        rows = [_row(request, item, ids[n], there, n) for n, item in enumerate(chunk)]
        queues |= {FINISHING} if there.drawings else set()
        wanted.add(rows)
        conn.execute(_store_items(tuple(rows[0]), conn.dialect), {"rows": json.dumps(rows)})
        use(conn, request.tenant, ((id, item.inputs) for item, id in zip(chunk, ids, strict=True)))
        refusals = [
            _refusal(request, item, id)
            for item, id in zip(chunk, ids, strict=True)
            if item.verdict.decision is Decision.REFUSE
        ]
        rewritten = [_rewritten(request, item, id) for item, id in zip(chunk, ids, strict=True) if item.sent]
        reuses = [_reuse(request, chunk[n], ids[n], one) for n, one in sorted(there.reusable.items())]
        append(conn, tenant=request.tenant, actor=f"key:{request.key_id}", events=[*rewritten, *refusals, *reuses])
        stored, refused, reused = stored + len(chunk), refused + len(refusals), reused + len(there.reusable)
        reencoded += len(there.drawings)
        for n, item in enumerate(chunk):
            if item.row != last_row and n not in there.reusable and item.verdict.decision is not Decision.REFUSE:
                last_row, rows_made = item.row, rows_made + 1
    if not stored:
        raise ValueError("a request needs at least one item")
    _store_recipes(conn, named)
    reserved = budget.reserve(conn, request.tenant, request.key_id, wanted)
    if request.budget:
        reserved.append(spending.begin(conn, request.tenant, request.id, request.budget, wanted))
    _store_request(conn, request, Submitted(stored, refused, reused, reencoded), reserved)
    if request.delivery:
        deliveries.begin(conn, request.tenant, request.id, request.delivery)
    breaker.watch(conn, request.tenant, request.id, rows_made)
    if reused or refused == stored:
        end_settled(conn, [request.id], actor=f"key:{request.key_id}")
    for queue in sorted(queues):
        conn.execute(select(func.pg_notify(WAKE_CHANNEL, queue)))
    return Submitted(stored, refused, reused, reencoded)


def _there(conn: Connection, request: NewRequest, chunk: Sequence[NewItem]) -> reuse.FoundContent:
    """By place: what is reused and what is made of a kept drawing, both held; and why no asset is taken."""
    found, drawings, why = reuse.find(conn, request, chunk)
    there = reuse.hold(conn, request.tenant, {one.asset_id for one in found.values()})
    gone = {n: "recalled" for n, one in found.items() if one.asset_id not in there}
    kept = take(conn, request.tenant, {one.item_id for one in drawings.values()})
    lost = [n for n, one in drawings.items() if one.item_id not in kept and chunk[n].drawing_of]
    if lost:  # it was to cost no device: nothing is drawn in its place
        raise Stale(f"the kept drawing of {chunk[lost[0]].custom_id!r} was given up meanwhile; ask again")
    return reuse.FoundContent(
        {n: one for n, one in found.items() if n not in gone},
        {n: one for n, one in drawings.items() if one.item_id in kept},
        why | gone,
    )


def _store_request(conn: Connection, request: NewRequest, stored: Submitted, reserved: Sequence[str]) -> None:
    conn.execute(
        requests.insert().values(
            id=request.id,
            tenant=request.tenant,
            kind=request.kind,
            name=request.name,
            template=request.template,
            model=request.model,
            priority=request.priority,
            item_count=stored.items,
            of_drawings=stored.reencoded > 0,
            key_id=request.key_id,
            metadata=dict(request.metadata),
            renditions=list(request.renditions),
            publish_prompt=request.publish_prompt,
            queue=request.queue,
            deadline=request.deadline,
            budgets=list(reserved),
            at_deadline=request.at_deadline,
            parent_id=request.parent_id,
            carried_columns=list(request.carried_columns),
            channels=[channel.to_json() for channel in request.channels],
            file_templates=dict(request.file_templates),
            origin=request.origin.to_json() if request.origin else None,
            phase=RequestPhase.PILOT if request.pilot else RequestPhase.RUNNING,
        )
    )
    if request.pilot:
        pilots.begin(conn, request.tenant, request.id, request.pilot)
    accepted = events.RequestAccepted(
        request_id=request.id,
        request_kind=request.kind,
        name=events.Private(request.name),
        template=events.Private(request.template),
        model=request.model,
        model_revision=request.model_revision,
        priority=request.priority,
        items=stored.items,
        refused=stored.refused,
        policy_version=request.policy_version,
        renditions=request.renditions,
        publish_prompt=request.publish_prompt,
        channels=tuple(channel.public() for channel in request.channels),
        deadline=timestamp(request.deadline) if request.deadline else None,
        at_deadline=request.at_deadline,
        pilot=_asked(request.pilot) if request.pilot else None,
        parent_id=request.parent_id,
        origin=request.origin.to_json() if request.origin else None,
    )
    append(conn, tenant=request.tenant, actor=f"key:{request.key_id}", events=[accepted])


def _asked(pilot: NewPilot) -> dict[str, Any]:
    """Of a pilot, as the ledger keeps it: no name of a column."""
    asked = asdict(pilot)
    return asked | {"stratify_by": list(pilot.stratify_by)}


def _store_recipes(conn: Connection, named: Mapping[str, Recipe]) -> None:
    """Recipes are content-addressed, so a concurrent writer of the same one is welcome.

    Last and in order: another submission of the same new recipe waits for this transaction to end.
    """
    rows = [{"id": id, "recipe": recipe.to_json()} for id, recipe in sorted(named.items())]
    conn.execute(insert(recipes).on_conflict_do_nothing(), rows)


def _row(request: NewRequest, item: NewItem, id: str, there: reuse.FoundContent, n: int) -> dict[str, Any]:
    taken, drawing = there.reusable.get(n), there.drawings.get(n)
    refused = item.verdict.decision is Decision.REFUSE
    state = ItemState.REFUSED if refused else ItemState.RELEASED if taken else ItemState.PENDING
    verdict = item.verdict.to_json() if refused else taken.verdict if taken else None
    return {
        "id": id,
        "request_id": request.id,
        "tenant": request.tenant,
        "row": item.row,
        "custom_id": item.custom_id,
        "variant": item.variant,
        "prompt": item.prompt,
        "negative_prompt": item.negative_prompt,
        "carried": list(item.carried),
        "file_suffix": item.file_suffix,
        "renditions": item.renditions or None,
        "rewrites": [asdict(finding) for finding in item.verdict.rewrites] or None,
        "prompt_read_chars": item.texts_read.prompt,
        "negative_prompt_read_chars": item.texts_read.negative_prompt,
        "seed": (taken or drawing or item).seed,
        "recipe_id": item.recipe.id,
        "queue": FINISHING if drawing else item.queue or request.queue,
        "priority": item.priority or request.priority,
        "state": state,
        "verdict": verdict,
        "sample": item.sample,
        "content_key": reuse.content_key(request, item) if item.verdict.decision is Decision.ALLOW else None,
        "reused_asset_id": taken.asset_id if taken else None,
        "drawing_item_id": drawing.item_id if drawing else None,
        "not_reused": there.why.get(n),
        **budget.reservation(_share(request, item, drawing) if state is ItemState.PENDING else None),
    }


def _share(request: NewRequest, item: NewItem, drawing: reuse.TakenDrawing | None) -> Take | None:
    """What the item is expected to take at P90; nothing where no device draws it."""
    return Take(0.0, Decimal(0)) if drawing else request.share.get(item.recipe.work_id)


@lru_cache(maxsize=4)
def _store_items(columns: tuple[str, ...], dialect: Dialect) -> TextClause:
    """Stores rows that come as one JSON document of objects with these keys.

    A parameter for each cell takes several times as long, and COPY is closed to a role that row-level security
    confines.
    """
    sent = ", ".join(f"{name} {items.c[name].type.compile(dialect)}" for name in columns)
    names = ", ".join(columns)
    return text(
        f"""
        insert into items ({names}, settled_at)
        select {names}, case when state <> '{ItemState.PENDING}' then now() end
        from json_to_recordset(cast(:rows as json)) as sent({sent})
        """  # noqa: S608 - names of our own columns
    )


def _refusal(request: NewRequest, item: NewItem, id: str) -> events.ItemRefused:
    return events.ItemRefused(
        request_id=request.id,
        item_id=id,
        batch_id=None,
        attempt=None,
        prompt=events.Private(item.prompt),
        negative_prompt=events.Private(item.negative_prompt),
        recipe=item.recipe.to_json(),
        seed=str(item.seed),
        verdict=item.verdict.to_json(),
        row=item.row,
        variant=item.variant,
    )


def _reuse(request: NewRequest, item: NewItem, id: str, taken: reuse.Reusable) -> events.ItemReused:
    recipe, seed = item.recipe.to_json(), str(taken.seed)
    return events.ItemReused(request.id, id, taken.asset_id, "same_content", recipe, seed, request.policy_version)


def _rewritten(request: NewRequest, item: NewItem, id: str) -> events.ItemRewritten:
    return events.ItemRewritten(
        request_id=request.id,
        item_id=id,
        sent_prompt=events.Private(item.sent.get("prompt", item.prompt)),
        sent_negative_prompt=events.Private(item.sent.get("negative_prompt", item.negative_prompt)),
        prompt=events.Private(item.prompt),
        negative_prompt=events.Private(item.negative_prompt),
        policy_version=item.verdict.policy_version,
        findings=tuple(asdict(finding) for finding in item.verdict.rewrites),
    )


def _chunks(new_items: Iterable[NewItem]) -> Iterator[list[NewItem]]:
    stream = iter(new_items)
    while chunk := list(islice(stream, _CHUNK)):
        yield chunk
