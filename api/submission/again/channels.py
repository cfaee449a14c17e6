"""Channels of pictures that are there: a linked request whose files are made of kept drawings, and no GPU.

Each released image of the earlier request of which a drawing is kept becomes an item of the new one, with its texts,
seed, inputs and cells. A worker screens it again under the rules of now. Images without a drawing are counted and left
out: nothing is drawn by this call. Sent again, what is released takes those files, and costs nothing either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, select

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.limits.agents import demand_sent_by, demand_within_day
from api.edge.problems import Problem
from api.schemas.added_channels import AddedChannelsBody, AddedChannelsReply
from api.schemas.channels import channels_of
from api.submission.file_naming import FileNames, LabelLanguages, file_templates, template_complaints
from api.submission.store import delivery_of, demand_labels, links
from policy.rulebook.scope import Context
from policy.verdict import Finding, Verdict
from workers.errors import NotFound
from workers.jobs.drawings.drawings import ReleasedItem, count_drawn, drawn_items
from workers.jobs.idempotency import StoredReply
from workers.jobs.submit import submit
from workers.jobs.tables import items, requests
from workers.jobs.types import NewItem, NewRequest, TextsRead, new_id
from workers.jobs.views import count_waiting
from workers.metrics import ITEMS_SUBMITTED
from workers.states import FINISHING, Priority


@dataclass(frozen=True, slots=True)
class _Named:
    """What the names of files follow from; with `variants` above 1, they tell variants apart."""

    file: str
    variants: int
    channels: list[Any]
    renditions: tuple[str, ...]


def add_channels(
    conn: Connection, caller: Caller, parts: Parts, request_id: str, asked: AddedChannelsBody
) -> StoredReply:
    """202 with the id of the linked request. Commits with the caller's transaction. Raises NotFound and Problem."""
    parts.registers.ensure()
    demand_sent_by(conn, caller, request_id)
    mine = select(requests).where(requests.c.id == request_id, requests.c.tenant == caller.tenant)
    earlier = conn.execute(mine).one_or_none()
    if earlier is None:
        raise NotFound(f"no request {request_id}")
    _demand_columns(earlier, asked)
    demand_labels(parts, Context(caller.tenant, earlier.name, earlier.model), channels_of(asked.channels))
    released, drawn = count_drawn(conn, caller.tenant, request_id)
    if not drawn:
        raise Problem("conflict", _nothing(request_id, released))
    demand_within_day(conn, caller, drawn)
    _demand_room(conn, caller, parts, drawn)
    stream = drawn_items(conn, caller.tenant, request_id)
    first = next(stream)
    named = _named(conn, earlier, asked)
    new = _request(
        conn, caller, parts, earlier, asked=asked, revision=first.recipe.model_revision, names=file_templates(named)
    )
    submitted = submit(conn, new, _items(parts, named, new, chain((first,), stream)))
    ITEMS_SUBMITTED.labels(new.kind, new.priority).inc(submitted.items)
    reply = AddedChannelsReply(
        id=new.id,
        parent_id=request_id,
        items=submitted.items,
        reencoded_items=submitted.reencoded,
        reused_items=submitted.reused,
        without_drawing=released - drawn,
        links=links(new.id),
    )
    return StoredReply(202, reply.model_dump(mode="json"))


def _request(
    conn: Connection,
    caller: Caller,
    parts: Parts,
    earlier: Row[Any],
    *,
    asked: AddedChannelsBody,
    revision: str,
    names: Mapping[str, str],
) -> NewRequest:
    return NewRequest(
        id=new_id(),
        tenant=caller.tenant,
        kind=earlier.kind,
        name=earlier.name,
        template=earlier.template,
        model=earlier.model,
        model_revision=revision,
        priority=Priority(earlier.priority),
        queue=earlier.queue,
        key_id=caller.key_id,
        policy_version=parts.rules.version,
        metadata=earlier.metadata,
        renditions=tuple(asked.renditions),
        publish_prompt=earlier.publish_prompt,
        carried_columns=tuple(earlier.carried_columns),
        channels=channels_of(asked.channels),
        file_templates=names,
        delivery=delivery_of(conn, caller.tenant, asked.deliver),
        currency=parts.settings.currency,
        parent_id=earlier.id,
        reuse=True,
    )


def _items(parts: Parts, asked: _Named, new: NewRequest, drawn: Iterable[ReleasedItem]) -> Iterator[NewItem]:
    names, languages = FileNames(asked, new.carried_columns), LabelLanguages(asked, new.carried_columns)
    for released in drawn:
        row = released.row
        if wrong := languages.of_cells(row.row, None, row.carried):
            raise Problem("invalid_body", f"row {row.row}: {wrong[0].message}. {wrong[0].remedy}", errors=wrong)
        yield _item(parts, names, released)


def _item(parts: Parts, names: FileNames, released: ReleasedItem) -> NewItem:
    row = released.row
    return NewItem(
        row=row.row,
        custom_id=row.custom_id,
        variant=row.variant,
        prompt=row.prompt,
        negative_prompt=row.negative_prompt,
        seed=row.seed,
        recipe=released.recipe,
        verdict=Verdict(parts.rules.version, tuple(map(Finding.from_json, row.rewrites or ()))),
        carried=tuple(row.carried),
        file_suffix=names.of_item(row.row, row.custom_id, row.carried, row.variant),
        texts_read=TextsRead(row.prompt_read_chars, row.negative_prompt_read_chars),
        inputs=released.inputs,
        drawing_of=released.drawing,
    )


def _named(conn: Connection, earlier: Row[Any], asked: AddedChannelsBody) -> _Named:
    several = select(items.c.id).where(items.c.request_id == earlier.id, items.c.variant > 0).limit(1)
    variants = 2 if conn.execute(several).first() else 1
    return _Named(asked.file or _earlier_file(earlier), variants, list(asked.channels), tuple(asked.renditions))


def _earlier_file(earlier: Row[Any]) -> str:
    """The template of the earlier request, with the channel in it, so that the names of its files differ."""
    template = str(earlier.file_templates.get("", ""))
    return template if "{channel}" in template else template.replace(".{ext}", ".{channel}.{ext}")


def _demand_columns(earlier: Row[Any], asked: AddedChannelsBody) -> None:
    """Names of files and languages of labels ask for columns that the earlier rows carried. Raises Problem."""
    header = tuple(earlier.carried_columns)
    named = _Named(asked.file, 1, list(asked.channels), tuple(asked.renditions))
    found = [*template_complaints(named, header), *LabelLanguages(named, header).complaints]
    if found:
        raise Problem("invalid_body", f"{found[0].message}. {found[0].remedy}", errors=found)


def _demand_room(conn: Connection, caller: Caller, parts: Parts, drawn: int) -> None:
    most = parts.settings.max_open_items
    waiting = count_waiting(conn, caller.tenant, FINISHING, most=most)
    if waiting + drawn > most:
        message = f"{waiting:,} images of yours wait, this request has {drawn:,}, and {most:,} may wait."
        raise Problem("too_many_open_items", f"{message} Nothing was stored.", headers={"Retry-After": "60"})


def _nothing(request_id: str, released: int) -> str:
    if not released:
        return f"request {request_id} has no released image whose text is kept. Nothing was stored."
    return (
        f"of the {released:,} released images of request {request_id} no drawing is kept any more. Nothing was stored."
        " Send the rows again with these channels: they are drawn anew."
    )
