"""Differences of a feed from what is live, found in the database, a chunk of rows at a time.

A slot is asked for by key and view. What is as it was costs a comparison and comes back as a count; the rest comes back
with the parts that the live picture was made of, so that the first that differs can be named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, text

from workers.jobs.catalogue.tables import catalogue_slots

_STREAMED = 5_000  # keys of a fetch

_COMPARE = text(
    """
    SELECT * FROM (
      SELECT sent.n, s.parts, s.asset_id, s.retired_at,
        CASE WHEN s.tried_digest = sent.picture AND i.state IN ('held', 'refused', 'failed') THEN i.state
             WHEN a.state = 'recalled' AND s.picture_digest = sent.picture THEN 'recalled'
             WHEN s.retired_at IS NOT NULL THEN 'retired'
             WHEN s.asset_id IS NULL THEN 'new'
             WHEN s.picture_digest <> sent.picture THEN 'picture'
             WHEN s.delivery_digest <> sent.delivery THEN 'delivery'
             WHEN a.policy_version <> :rules THEN CASE WHEN EXISTS (
               SELECT FROM items made
               JOIN drawings d ON d.item_id = coalesce(made.drawing_item_id, made.id) AND d.tenant = made.tenant
               JOIN items root ON root.id = d.item_id AND root.state = 'released'
               WHERE made.id = a.item_id AND made.tenant = :tenant AND made.erased_at IS NULL)
               THEN 'rules' ELSE 'unscreened' END
             ELSE 'same' END AS found
      FROM unnest(CAST(:keys AS text[]), CAST(:views AS smallint[]), CAST(:pictures AS text[]),
                  CAST(:deliveries AS text[])) WITH ORDINALITY AS sent (key, view, picture, delivery, n)
      LEFT JOIN catalogue_slots s ON s.catalogue_id = :catalogue AND s.key = sent.key AND s.view = sent.view
      LEFT JOIN items i ON i.id = s.tried_item AND i.tenant = :tenant
      LEFT JOIN assets a ON a.id = s.asset_id AND a.tenant = :tenant
    ) AS compared WHERE found <> 'same'
    """
)


class WantedSlot(NamedTuple):
    """A slot as the feed asks for it now."""

    key: str
    view: int
    picture: str
    delivery: str


class SlotDifference(NamedTuple):
    """What a slot is not as it was. `parts` are those of the live picture, None where there is none."""

    n: int  # 0-based place among those that were asked for
    found: str  # new | picture | delivery | rules | unscreened | retired | recalled | held | refused | failed
    parts: Mapping[str, str] | None


def differences(
    conn: Connection, tenant: str, catalogue_id: str, wanted: Sequence[WantedSlot], *, rules_version: str
) -> list[SlotDifference]:
    """The slots that are not as the feed asks, or not judged by these rules. One statement.

    `rules` can be screened again, since the drawing is kept; `unscreened` cannot.
    """
    keys, views, pictures, deliveries = zip(*wanted, strict=True) if wanted else ((), (), (), ())
    asked = {
        "tenant": tenant,
        "catalogue": catalogue_id,
        "rules": rules_version,
        "keys": list(keys),
        "views": list(views),
        "pictures": list(pictures),
        "deliveries": list(deliveries),
    }
    return [SlotDifference(row.n - 1, row.found, row.parts) for row in conn.execute(_COMPARE, asked)]


def live_keys(conn: Connection, catalogue_id: str) -> Iterator[tuple[str, int]]:
    """(key, view) of every slot with a live picture, in order."""
    slots = catalogue_slots
    live = slots.c.asset_id.is_not(None), slots.c.retired_at.is_(None)
    query = select(slots.c.key, slots.c.view).where(slots.c.catalogue_id == catalogue_id, *live)
    ordered = query.order_by(slots.c.key, slots.c.view)
    for row in conn.execute(ordered, execution_options={"yield_per": _STREAMED}):
        yield row.key, row.view
