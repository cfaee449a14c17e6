"""Still-public pictures: released pictures that a rule set would not release today.

Reads what the ledger keeps of each release that was not recalled and judges it again as `simulate` does. A picture that
a person released is reported only where the rules have become stricter than the finding that the person overruled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, text

from policy.ledger.reading.events import Recorded, entries_by_id, with_request_names
from policy.ledger.reading.scope import EVERYTHING, Scope
from policy.ledger.reading.stream import Connect
from policy.rules import Rules
from policy.simulate import NotEvaluated, reevaluate
from policy.verdict import Decision, Verdict

PAGE = 1_000  # releases of one look: about a second of screening
_PUBLIC = "SELECT entry_id FROM audit.public WHERE entry_id > :after AND {where} ORDER BY entry_id LIMIT :limit"
_SEVERITY = list(Decision)


@dataclass(frozen=True, slots=True)
class StillPublicAsset:
    """A public picture, and the rules' decision on it today."""

    asset_id: str
    item_id: str
    request_id: str
    tenant: str
    released_at: str  # RFC 3339
    released_under: str  # policy version of then
    decision: Decision  # hold or refuse, today
    rules: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StillPublicResult:
    """A page of public pictures. `not_judged` counts those whose text was erased or whose score was never recorded."""

    found: tuple[StillPublicAsset, ...]
    judged: int
    not_judged: int
    last: int | None  # entry_id to look on after; None where nothing follows


def find_still_public(
    connect: Connect, rules: Rules, *, tenant: str | None = None, scope: Scope = EVERYTHING
) -> Iterator[StillPublicResult]:
    """Every page, oldest release first. No connection is held between two pages. `scope` is of what was public."""
    after: int | None = 0
    while after is not None:
        with connect() as conn:
            looked = still_public_page(conn, rules, tenant=tenant, after=after, scope=scope)
        yield looked
        after = looked.last


def still_public_page(
    conn: Connection,
    rules: Rules,
    *,
    tenant: str | None,
    after: int,
    limit: int = PAGE,
    scope: Scope = EVERYTHING,
) -> StillPublicResult:
    """The next `limit` public pictures, judged again. Needs a connection that may read the schema."""
    where, values = replace(scope, tenant=tenant or scope.tenant).where()
    ids = list(conn.scalars(text(_PUBLIC.format(where=where)), {**values, "after": after, "limit": limit}))
    standings = [_standing(rules, one) for one in with_request_names(conn, entries_by_id(conn, ids))]
    return StillPublicResult(
        found=tuple(one for one in standings if isinstance(one, StillPublicAsset)),
        judged=sum(not isinstance(one, NotEvaluated) for one in standings),
        not_judged=sum(isinstance(one, NotEvaluated) for one in standings),
        last=ids[-1] if len(ids) == limit else None,
    )


def _standing(rules: Rules, one: Recorded) -> StillPublicAsset | NotEvaluated | None:
    """What is wrong with a release today; None if nothing is."""
    try:
        was = Verdict.from_json(one.event["verdict"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return NotEvaluated.UNREADABLE
    now = reevaluate(rules, one, was)
    if isinstance(now, NotEvaluated):
        return now
    if _SEVERITY.index(now.decision) <= _SEVERITY.index(was.decision):
        return None
    event = one.event
    return StillPublicAsset(
        asset_id=event["asset_id"],
        item_id=event["item_id"],
        request_id=event["request_id"],
        tenant=one.tenant,
        released_at=one.at,
        released_under=was.policy_version,
        decision=now.decision,
        rules=tuple(dict.fromkeys(f.rule for f in now.findings if f.decision is now.decision)),
    )
