"""Earlier rows: which rows of a campaign, about to be stored, its tenant has sent before, and what differs.

A row is known again by its custom_id and variant in the last campaigns with the same template. Its seed comes from its
id and its recipe, so a row that is sent again unchanged is the same picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, text

from workers.jobs.tables import requests
from workers.jobs.types import NewItem, NewRequest
from workers.jobs.views import demand_request
from workers.states import ItemState

MOST_COMPARED = 5  # campaigns, the latest first; a look-up by index for each row and campaign

# What is made, or still being made. A row that ended otherwise is made again.
KEEPABLE = frozenset({ItemState.PENDING, ItemState.PLANNED, ItemState.HELD, ItemState.RELEASED})


@dataclass(frozen=True, slots=True)
class EarlierItem:
    """The latest item of the same row. `differs` names what is not as it was, "" where nothing is."""

    request_id: str
    state: ItemState
    asset_id: str | None  # of a released image
    differs: str  # prompt | negative_prompt | options | seed | renditions | inputs


_SENT_BEFORE = text(
    """
    select distinct on (sent.n) sent.n, earlier.request_id::text, earlier.state, earlier.differs,
        assets.id::text as asset_id
    from json_to_recordset(cast(:rows as json)) as sent(
        n integer, custom_id text, variant integer, prompt text, negative_prompt text, recipe_id text, seed bigint,
        renditions text[], inputs text
    )
    join lateral (
        select items.id, items.request_id, items.state,
            case when items.prompt <> sent.prompt then 'prompt'
                when items.negative_prompt <> sent.negative_prompt then 'negative_prompt'
                when items.recipe_id <> sent.recipe_id then 'options'
                when items.seed <> sent.seed then 'seed'
                when items.renditions is distinct from sent.renditions then 'renditions'
                when sent.inputs <> coalesce((select string_agg(role || '=' || input_id, ' ' order by role)
                    from item_inputs where item_id = items.id), '') then 'inputs'
                else '' end as differs
        from items
        where items.request_id = any(cast(:requests as uuid[])) and items.tenant = :tenant
            and items.custom_id = sent.custom_id and items.variant = sent.variant and items.erased_at is null
    ) as earlier on true
    left join assets on assets.item_id = earlier.id and assets.state = 'released'
    order by sent.n, earlier.differs <> '', assets.id is null, earlier.id desc
    """
)


def comparable(conn: Connection, request: NewRequest, *, same_files: bool) -> list[str]:
    """The tenant's last campaigns with the request's template. `same_files`: only those that made the same files.

    Of a linked run: its parent, and what that one corrects in turn. Raises NotFound for a parent that is not there.
    """
    among = requests.c.template == request.template
    if request.parent_id:
        demand_request(conn, request.tenant, request.parent_id)
        among = requests.c.id.in_(_line_of(request.parent_id))
    asked = (
        select(requests.c.id)
        .where(
            requests.c.tenant == request.tenant,
            requests.c.kind == request.kind,
            among,
            requests.c.erased_at.is_(None),
        )
        .order_by(requests.c.id.desc())
        .limit(MOST_COMPARED)
    )
    if same_files:
        asked = asked.where(
            requests.c.renditions == list(request.renditions),
            requests.c.channels == [channel.to_json() for channel in request.channels],
            requests.c.publish_prompt == request.publish_prompt,
        )
    return [str(id) for id in conn.execute(asked).scalars()]


def _line_of(request_id: str) -> Select[Any]:
    """A request and those that it corrects, one by one."""
    line = select(requests.c.id, requests.c.parent_id).where(requests.c.id == request_id).cte(recursive=True)
    earlier = select(requests.c.id, requests.c.parent_id).join(line, requests.c.id == line.c.parent_id)
    return select(line.union(earlier).c.id)


def sent_before(
    conn: Connection, tenant: str, earlier: Sequence[str], new_items: Sequence[NewItem]
) -> Mapping[int, EarlierItem]:
    """By place in `new_items`: the same row in one of the `earlier` requests. Rows that are new are left out."""
    rows = [
        {
            "n": n,
            "custom_id": item.custom_id,
            "variant": item.variant,
            "prompt": item.prompt,
            "negative_prompt": item.negative_prompt,
            "recipe_id": item.recipe.id,
            "seed": item.seed,
            "renditions": item.renditions or None,
            "inputs": " ".join(f"{role}={id}" for role, id in sorted(item.inputs.items())),
        }
        for n, item in enumerate(new_items)
    ]
    asked = {"rows": json.dumps(rows), "requests": list(earlier), "tenant": tenant}
    return {
        row.n: EarlierItem(row.request_id, ItemState(row.state), row.asset_id, row.differs)
        for row in conn.execute(_SENT_BEFORE, asked)
    }
