"""Review decision: a person releases or refuses a held picture; the row and the event are one transaction.

A refusal takes effect at once: HELD -> REFUSED. A release is an order to the clerk (reviewed.py), because the
API's role can release nothing. The lock on the hold decides between two reviewers; the second one learns
what was decided. Killed before the commit: there is no decision. Killed after it: the clerk carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Row, func, select

from policy import events
from policy.events.event import Event, Private
from policy.ledger.append import append
from policy.rulebook.review import ReviewRules
from workers.errors import Conflict, NotFound, NotReleasable, OwnCampaign, Stale
from workers.jobs.control import breaker
from workers.jobs.keys import PersonBehind, person_behind, same_person
from workers.jobs.review import claims
from workers.jobs.tables import holds, items, recipes, requests, reviews
from workers.jobs.types import new_id
from workers.states import ORDER_CHANNEL, ItemState

RELEASE, REFUSE = "release", "refuse"


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """What a person says of a held picture. `sha256` is that of the bytes the person saw."""

    item_id: str
    decision: str
    sha256: str
    comment: str


class PriorReview(Protocol):
    """An earlier review of the same hold."""

    @property
    def person(self) -> str: ...
    @property
    def decision(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a decision led to. Not `final`: another person must agree before anything is released."""

    item_id: str
    decision: str
    final: bool
    people_needed: int
    people_agreed: int  # different people who decided release, this one too


def review(
    conn: Connection, tenant: str, decided: ReviewDecision, *, key_id: str, rules: ReviewRules, policy_version: str
) -> Reviewed:
    """Record it, and what follows from it. Raises NotFound, Conflict, Stale, NotReleasable, OwnCampaign."""
    hold = _open_hold(conn, tenant, decided.item_id)
    if hold.sha256 != decided.sha256:
        raise Stale(f"item {decided.item_id} holds {hold.sha256}, not what you saw; look at it again")
    item = _item(conn, tenant, decided.item_id)
    reviewer = person_behind(conn, tenant, key_id)
    said = conn.execute(select(reviews).where(reviews.c.item_id == hold.item_id, reviews.c.tenant == tenant)).all()
    needed = rules.people_needed(categories(hold.verdict))
    agreed = {one.person for one in said if one.decision == RELEASE}
    if decided.decision == RELEASE:
        _demand_releasable(hold, rules)
        _demand_other_campaign(conn, tenant, item.request_key_id, reviewer, rules)
        if reviewer.person in agreed:
            raise Conflict(f"you have already released item {hold.item_id}; another person must agree")
        agreed.add(reviewer.person)
    final = decided.decision == REFUSE or len(agreed) >= needed
    row = {
        "id": new_id(),
        "item_id": hold.item_id,
        "tenant": tenant,
        "key_id": reviewer.key_id,
        "reviewer": reviewer.name,
        "person": reviewer.person,
        "decision": decided.decision,
        "final": final,
        "sha256": hold.sha256,
        "comment": decided.comment,
        "policy_version": policy_version,
    }
    conn.execute(reviews.insert().values(row))
    happened: list[Event] = [_reviewed(item, hold, row)]
    if final:
        _decide(conn, hold.item_id, release=decided.decision == RELEASE)
    if decided.decision == REFUSE:
        _refuse(conn, hold.item_id)
        happened.append(_refused(item, hold, row))
    if final:
        breaker.note(conn, [hold.item_id], kind="reviewed")
        conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))
    append(conn, tenant=tenant, actor=f"key:{key_id}", events=happened)
    claims.end(conn, tenant, key_id, hold.item_id)
    return Reviewed(hold.item_id, decided.decision, final, needed, len(agreed))


def categories(verdict: dict[str, Any]) -> list[str]:
    """What a hold is for, in the order of its findings."""
    return list(dict.fromkeys(finding["category"] for finding in verdict["findings"]))


def people_agreed(said: Iterable[PriorReview]) -> int:
    """How many different people decided release."""
    return len({one.person for one in said if one.decision == RELEASE})


def why_not_releasable(asset_id: str | None, attempt: int | None, held_for: Collection[str], rules: ReviewRules) -> str:
    """Why a hold cannot be released; "" where it can."""
    if forbidden := rules.forbidden(held_for):
        return f"the rules let nobody release what is held for {', '.join(forbidden)}"
    if attempt is None:
        return "it was held by an older version, which kept too little of it for a release; make it again"
    if asset_id is None:
        return "its marks did not hold, and nothing leaves without them"
    return ""


def _open_hold(conn: Connection, tenant: str, item_id: str) -> Row[Any]:
    """The hold, locked. Row-level security shows decided ones to no update, and so to no lock."""
    this = (holds.c.item_id == item_id, holds.c.tenant == tenant)
    row = conn.execute(select(holds).where(*this, holds.c.decided_at.is_(None)).with_for_update()).one_or_none()
    if row is not None:
        return row
    decided = conn.execute(select(holds.c.release, holds.c.decided_at).where(*this)).one_or_none()
    if decided is None:
        raise NotFound(f"no held item {item_id}")
    word = "released" if decided.release else "refused"
    raise Conflict(f"item {item_id} was {word} by a review at {decided.decided_at:%Y-%m-%d %H:%M:%S} UTC")


def _item(conn: Connection, tenant: str, item_id: str) -> Row[Any]:
    query = (
        select(items, recipes.c.recipe, requests.c.key_id.label("request_key_id"))
        .join(recipes, recipes.c.id == items.c.recipe_id)
        .join(requests, requests.c.id == items.c.request_id)
    )
    return conn.execute(query.where(items.c.id == item_id, items.c.tenant == tenant)).one()


def _demand_releasable(hold: Row[Any], rules: ReviewRules) -> None:
    if why := why_not_releasable(hold.asset_id, hold.attempt, categories(hold.verdict), rules):
        raise NotReleasable(f"item {hold.item_id} can only be refused: {why}")


def _demand_other_campaign(
    conn: Connection, tenant: str, submitted_by: str, reviewer: PersonBehind, rules: ReviewRules
) -> None:
    if not rules.own_campaign and same_person(person_behind(conn, tenant, submitted_by), reviewer):
        raise OwnCampaign("you submitted this request, and the rules require another person to release its images")


def _decide(conn: Connection, item_id: str, *, release: bool) -> None:
    conn.execute(
        holds.update()
        .where(holds.c.item_id == item_id, holds.c.decided_at.is_(None))
        .values(decided_at=func.clock_timestamp(), release=release)
    )


def _refuse(conn: Connection, item_id: str) -> None:
    moved = conn.execute(
        items.update()
        .where(items.c.id == item_id, items.c.state == ItemState.HELD)
        .values(state=ItemState.REFUSED, settled_at=func.clock_timestamp())
    )
    if moved.rowcount != 1:
        raise Conflict(f"item {item_id} is not held any more")


def _reviewed(item: Row[Any], hold: Row[Any], row: dict[str, Any]) -> Event:
    return events.ItemReviewed(
        request_id=item.request_id,
        item_id=item.id,
        key_id=row["key_id"],
        reviewer=row["reviewer"],
        decision=row["decision"],
        final=row["final"],
        sha256=row["sha256"],
        comment=Private(row["comment"]),
        policy_version=row["policy_version"],
        findings=tuple(hold.verdict["findings"]),
    )


def _refused(item: Row[Any], hold: Row[Any], row: dict[str, Any]) -> Event:
    return events.ItemRefused(
        request_id=item.request_id,
        item_id=item.id,
        batch_id=item.batch_id,
        attempt=hold.attempt,
        prompt=Private(item.prompt),
        negative_prompt=Private(item.negative_prompt),
        recipe=item.recipe,
        seed=str(item.seed),
        verdict=hold.verdict,
        review={"sha256": row["sha256"], "key_ids": [row["key_id"]], "policy_version": row["policy_version"]},
        row=item.row,
        variant=item.variant,
    )
