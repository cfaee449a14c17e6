"""Reports for people: what the ledger says about an asset, a campaign or a period, as headings, sentences and tables.

Nothing here is layout: the same report is printed as HTML (report_html.py) and as PDF. Every figure comes from the
views that the auditor's questions are answered from, and every report ends with how to check it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from policy.ledger.reading import questions
from policy.ledger.reading.events import events_about
from policy.ledger.reading.questions import By
from policy.ledger.reading.scope import Scope

MOST_ROWS = 500  # of one table; the report says what it leaves out, and which command prints all
_CELL = 300  # characters

_DECIDED = """
SELECT decision, decided_by, policy_version, count(*) AS items FROM audit.settled WHERE {where}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_RECALLED = """
SELECT recorded_at, asset_id, recall_id, reason_code, index FROM audit.recalled
WHERE asset_id IN (SELECT asset_id FROM audit.settled WHERE decision = 'released' AND {where})
ORDER BY entry_id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, and a table where `columns` are named."""

    heading: str
    sentences: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    made_at: datetime
    sections: tuple[Section, ...]


def asset_report(
    conn: Connection, asset_id: str, *, origin: str, head: str, tenant: str | None = None
) -> Report | None:
    """Everything about one released asset; None for one that the ledger, or with it the tenant, does not have."""
    found = questions.lineage(conn, asset_id, tenant=tenant)
    if found is None:
        return None
    history = events_about(conn, str(found["item_id"]), tenant=tenant)
    return Report(
        f"Asset {asset_id}",
        datetime.now(UTC),
        (
            Section("What happened", tuple(_story(found))),
            Section("What it was made from", columns=("fact", "value"), rows=tuple(_recipe(found))),
            Section(
                "What the rules found",
                () if found["findings"] else ("No rule spoke against it.",),
                *_table(found["findings"] or [], ("stage", "category", "rule", "decision", "score")),
            ),
            Section(
                "Who looked at it",
                () if found["reviews"] else ("Nobody reviewed it.",),
                *_table(found["reviews"], ("at", "reviewer", "decision", "final", "comment")),
            ),
            Section("Its files", (), *_table(found["renditions"] or [], ("name", "media_type", "sha256"))),
            Section(
                "Every event",
                ("In order of time. The leaf is the place in the signed tree; one without a leaf is not sealed yet.",),
                ("at", "event", "actor", "leaf", "event id"),
                tuple(_cells((one.at, one.kind, one.actor, one.index, one.event_id)) for one in history),
            ),
            _checks(origin, head, [f"presswork audit {verb} --asset {asset_id}" for verb in ("prove", "pack")]),
        ),
    )  # fmt: skip


def period_report(conn: Connection, scope: Scope, title: str, *, origin: str, head: str) -> Report:
    """What was made, refused, reviewed and recalled in a scope: a campaign, a period, or both."""
    where, values = scope.where()
    decided = _rows(conn, _DECIDED.format(where=where), values)
    recalled = _rows(conn, _RECALLED.format(where=where), {**values, "limit": MOST_ROWS})
    refusals, more = _first(questions.refused(conn, scope, limit=MOST_ROWS + 1))
    reviewed, unshown = _first(questions.reviews(conn, scope, limit=MOST_ROWS + 1))
    rules = Counter(rule for row in refusals for rule in row["rules"])
    return Report(
        title,
        datetime.now(UTC),
        (
            Section("In short", tuple(_summary(decided))),
            Section(
                "Day by day",
                (),
                *_table(questions.counts(conn, [By.DAY, By.DECISION], scope), ("day", "decision", "items")),
            ),
            Section(
                "Under which rule sets", (), *_table(decided, ("decision", "decided_by", "policy_version", "items"))
            ),
            Section(
                "Held or refused",
                (*(f"{rule}: {count:,} items" for rule, count in rules.most_common()), *more),
                *_table(refusals, ("recorded_at", "outcome", "item_id", "rules", "prompt", "index")),
            ),
            Section(
                "Who reviewed what",
                unshown,
                *_table(reviewed, ("recorded_at", "reviewer", "decision", "final", "item_id", "comment", "index")),
            ),
            Section(
                "Recalled", (), *_table(recalled, ("recorded_at", "asset_id", "recall_id", "reason_code", "index"))
            ),
            Section(
                "Rule sets and models approved in that time",
                (),
                *_table(
                    islice(questions.approvals(conn, scope, limit=MOST_ROWS), MOST_ROWS),
                    ("recorded_at", "document", "decision", "name", "version", "person", "actor"),
                ),
            ),
            _checks(origin, head, ("presswork audit verify", "presswork audit counts")),
        ),
    )  # fmt: skip


def _rows(conn: Connection, query: str, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [dict(row) for row in conn.execute(text(query), values).mappings()]


def _story(found: Mapping[str, Any]) -> Iterator[str]:
    name = f" “{found['request_name']}”" if found["request_name"] else ""
    asked_at = _said(found["requested_at"])
    yield f"It was asked for by {found['requested_by']} at {asked_at} in request {found['request_id']}{name}."
    yield f"It was made by {found['model']} on {found['device']} of worker {found['worker']}."
    yield str(found["decided"])
    yield f"It was released at {_said(found['released_at'])}."
    if found["links"]:
        yield f"{len(found['links']):,} links to its files were given out."
    if found["recalled_at"]:
        at = _said(found["recalled_at"])
        yield f"It was recalled at {at} (recall {found['recall_id']}, {found['recall_reason']})."
    else:
        yield "It was not recalled."


def _recipe(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = ("prompt", "negative_prompt", "template", "row", "variant", "model", "model_revision", "loras", "seed",
             "batch_id", "batch_position", "batch_size", "policy_version")  # fmt: skip
    for name in names:
        if found.get(name) not in (None, [], ""):
            yield name.replace("_", " "), _said(found[name])
    for given in found["inputs"] or ():
        yield f"input, as {given['role']}", f"{given['input_id']}, sha256 {given['sha256']}"
    if product := found["product"]:
        mask, check = product["mask"], product["check"]
        yield "mask of the product", f"sha256 {mask['sha256']}, by {mask['method']}, score {check['score']}"


def _summary(decided: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    total, by = Counter[str](), Counter[tuple[str, str | None]]()
    for row in decided:
        total[row["decision"]] += row["items"]
        by[row["decision"], row["decided_by"]] += row["items"]
    if not total:
        yield "Nothing was settled."
    for decision, items in sorted(total.items()):
        yield f"{items:,} items were {decision}."
    if automatically := by["released", "rules"]:
        yield f"{automatically:,} were released automatically: rule sets let them pass, and no person looked at them."
    if people := by["released", "person"]:
        yield f"{people:,} were released by a person who reviewed them after they were held."
    yield "An item that was held and then decided stands in both counts. Requests cancelled as a whole are not counted."


def _checks(origin: str, head: str, commands: Sequence[str]) -> Section:
    return Section(
        "How to check this report",
        (
            f"It was written from the ledger {origin}, whose newest signed head is:",
            *head.strip().splitlines(),
            "The report itself is not signed. Its statements can be checked in the ledger, events against that head:",
            *commands,
            "Where the auditor's own copy of the public keys is used, no party to the ledger has to be believed.",
        ),
    )  # fmt: skip


def _first(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
    every = list(rows)
    more = (f"Only the first {MOST_ROWS:,} are shown.",) if len(every) > MOST_ROWS else ()
    return every[:MOST_ROWS], more


def _table(
    rows: Iterable[Mapping[str, Any]], names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Columns and cells; no columns where there is no row."""
    cells = tuple(_cells(row.get(name) for name in names) for row in rows)
    titles = tuple("leaf" if name == "index" else name.replace("_", " ") for name in names)
    return (titles, cells) if cells else ((), ())


def _cells(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_said(value) for value in values)


def _said(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        case list() | tuple():
            return ", ".join(_said(one) for one in value)
        case _:
            written = str(value)
            return written if len(written) <= _CELL else f"{written[:_CELL]}…"
