"""Erasure in one transaction: blanks the copies of private text in the job tables, and erases it in the ledger.

Every statement that chooses demands what makes erasing lawful: no legal hold, no item that is still to be made or
reviewed. The caller has taken `legal_holds.keep_holds_out` for the tenant. Killed before the commit, nothing happened;
after it, the rows say since when in erased_at, and a repeat finds nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, exists, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from policy.ledger import erase as ledger
from policy.ledger.erase import Why
from policy.ledger.tables import entries, private
from workers.jobs.privacy import drawings, legal_holds
from workers.jobs.privacy.select import CLERK, LOOSE_KINDS, UNSETTLED
from workers.jobs.privacy.tables import legal_holds as holds_table
from workers.jobs.recall.tables import recalls
from workers.jobs.tables import idempotency_keys, items, requests, reviews
from workers.jobs.uploads.campaign_checks import forget
from workers.jobs.uploads.files import dismiss_of_requests

COMMENT_FIELDS = ("comment", "reason")

# What is left of a stored reply: ids, no words. The fingerprint goes too: it is a plain hash of the request, and tells
# who guesses the prompt that the guess was right.
_BLANK_REPLY = text(
    """
    UPDATE idempotency_keys
    SET body = jsonb_strip_nulls(jsonb_build_object('id', body -> 'id', 'links', body -> 'links')),
        fingerprint = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), erased_at = clock_timestamp()
    WHERE tenant = :tenant AND key = ANY (CAST(:keys AS text[])) AND erased_at IS NULL
    """
)


def erase_items(conn: Connection, ids: Sequence[str], *, tenant: str, why: Why, comments: bool) -> dict[str, int]:
    """Prompts and carried cells of these settled items; with `comments` reviewers' words and the own id too. Counts."""
    lawful = (items.c.tenant == tenant, items.c.state.not_in(UNSETTLED), ~legal_holds.on_item())
    locked = select(items.c.id).where(items.c.id.in_(ids), *lawful).order_by(items.c.id).with_for_update()
    chosen = list(conn.scalars(locked))
    erased_at = func.coalesce(items.c.erased_at, func.clock_timestamp())
    blank: dict[str, Any] = {"prompt": "", "negative_prompt": "", "carried": [], "file_suffix": ""}
    blank["content_key"] = None  # a plain hash of the prompt
    blank["erased_at"] = erased_at
    if comments:
        blank["custom_id"] = func.concat("erased-", items.c.id)
        conn.execute(reviews.update().where(reviews.c.item_id.in_(chosen), reviews.c.comment != "").values(comment=""))
    blanked = conn.scalars(items.update().where(items.c.id.in_(chosen)).values(**blank).returning(items.c.request_id))
    of_requests = sorted(set(blanked))
    dismiss_of_requests(conn, tenant, of_requests)
    forget(conn, of_requests)
    drawings.give_up(conn, tenant, chosen, why)
    names = [f"item:{id}" for id in chosen]
    copies = {"items": len(chosen)}
    texts = ledger.erase(
        conn,
        _events_about(conn, tenant, names, "item."),
        tenant=tenant,
        actor=CLERK,
        why=why,
        kept=() if comments else COMMENT_FIELDS,
        copies=copies,
    )
    return {**copies, "texts": texts}


def erase_requests(conn: Connection, ids: Sequence[str], *, tenant: str, why: Why) -> dict[str, int]:
    """Name, template, metadata and column names of these requests whose items are all settled. Counts.

    Rules may ask for a name until then.
    """
    lawful = (requests.c.tenant == tenant, ~unsettled_request(), ~legal_holds.on_request())
    locked = select(requests.c.id).where(requests.c.id.in_(ids), *lawful).order_by(requests.c.id)
    chosen = list(conn.scalars(locked.with_for_update(key_share=True)))
    conn.execute(
        requests.update()
        .where(requests.c.id.in_(chosen))
        .values(
            name="",
            template="",
            metadata={},
            carried_columns=[],
            channels=[],
            file_templates={},
            erased_at=func.coalesce(requests.c.erased_at, func.clock_timestamp()),
        )
    )
    dismiss_of_requests(conn, tenant, chosen)
    forget(conn, chosen)
    names = [f"request:{id}" for id in chosen]
    copies = {"requests": len(chosen)}
    about = _events_about(conn, tenant, names, "request.")
    texts = ledger.erase(conn, about, tenant=tenant, actor=CLERK, why=why, copies=copies)
    return {**copies, "texts": texts}


def unsettled_request() -> ColumnElement[bool]:
    """Whether the row of `requests` around it has an item that is still to be made or reviewed."""
    own = items.alias("unsettled")
    return exists(select(own.c.id).where(own.c.request_id == requests.c.id, own.c.state.in_(UNSETTLED)))


def erase_events(conn: Connection, ids: Sequence[str], *, tenant: str, why: Why) -> dict[str, int]:
    """Reasons of recalls and of lifted holds, in their events and in their tables. Counts."""
    lawful = (entries.c.tenant == tenant, entries.c.kind.in_(LOOSE_KINDS), ~legal_holds.on_entry())
    chosen = conn.execute(
        select(entries.c.event_id, entries.c.subjects).where(entries.c.event_id.in_(ids), *lawful)
    ).all()
    about = {subject for row in chosen for subject in row.subjects}
    copies = blank_reasons(conn, tenant, about)
    event_ids = [row.event_id for row in chosen]
    texts = ledger.erase(conn, event_ids, tenant=tenant, actor=CLERK, why=why, copies=copies)
    return {**copies, "texts": texts}


def erase_comments(conn: Connection, ids: Sequence[str], *, tenant: str, why: Why) -> dict[str, int]:
    """What reviewers wrote in these events, and the same words in the table of reviews. Counts."""
    rows = conn.execute(
        select(entries.c.event_id, entries.c.subjects).where(entries.c.event_id.in_(ids), entries.c.tenant == tenant)
    ).all()
    reviewed = [subject[len("item:") :] for row in rows for subject in row.subjects if subject.startswith("item:")]
    free = select(items.c.id).where(items.c.id.in_(reviewed), items.c.tenant == tenant, ~legal_holds.on_item())
    chosen = set(conn.scalars(free))
    blanked = conn.execute(
        reviews.update().where(reviews.c.item_id.in_(chosen), reviews.c.comment != "").values(comment="")
    )
    names = {f"item:{id}" for id in chosen}
    event_ids = [row.event_id for row in rows if names & set(row.subjects)]
    copies = {"comments": blanked.rowcount}
    texts = ledger.erase(conn, event_ids, tenant=tenant, actor=CLERK, why=why, copies=copies)
    return {**copies, "texts": texts}


def erase_replies(conn: Connection, keys: Sequence[str], *, tenant: str, why: Why) -> dict[str, int]:
    """Stored replies and their fingerprints; the keys stay taken, so that nothing is made twice. Counts."""
    free = select(idempotency_keys.c.key).where(
        idempotency_keys.c.tenant == tenant, idempotency_keys.c.key.in_(keys), ~legal_holds.on_reply()
    )
    blanked = conn.execute(_BLANK_REPLY, {"tenant": tenant, "keys": list(conn.scalars(free))}).rowcount
    copies = {"replies": blanked}
    ledger.erase(conn, (), tenant=tenant, actor=CLERK, why=why, copies=copies)
    return copies


def blank_reasons(conn: Connection, tenant: str, subjects: Collection[str]) -> dict[str, int]:
    """The reasons of the recalls and lifted holds among these subjects, where they stand beside the ledger."""
    ids = {noun: [s.partition(":")[2] for s in subjects if s.startswith(f"{noun}:")] for noun in ("recall", "hold")}
    recalled = recalls.update().where(recalls.c.id.in_(ids["recall"]), recalls.c.tenant == tenant)
    lifted = holds_table.update().where(
        holds_table.c.id.in_(ids["hold"]), holds_table.c.tenant == tenant, holds_table.c.lifted_at.is_not(None)
    )
    return {"reasons": sum(conn.execute(table.values(reason="")).rowcount for table in (recalled, lifted))}


def _events_about(conn: Connection, tenant: str, names: Sequence[str], kinds: str) -> list[str]:
    """Events of these kinds that name one of these things and have private text."""
    if not names:
        return []
    naming = entries.c.subjects.op("&&", is_comparison=True)(cast(list(names), ARRAY(Text)))
    query = (
        select(entries.c.event_id)
        .join(private, private.c.event_id == entries.c.event_id)
        .where(entries.c.tenant == tenant, entries.c.kind.startswith(kinds), naming)
        .distinct()
    )
    return list(conn.scalars(query))
