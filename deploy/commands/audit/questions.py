"""`presswork audit asset`, `made-by`, `refused`, `reviews`, `approvals`, `still-public` and `counts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection, select

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.instants import InstantType, refuse_empty_span
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, json_option
from deploy.commands.shared.scope import scope_of, scope_options
from deploy.commands.shared.tables import as_line, print_object, print_rows
from policy.ledger.reading import questions
from policy.ledger.reading.questions import By
from policy.ledger.reading.scope import Scope
from policy.rules import Rules
from policy.still_public import StillPublicResult, find_still_public
from workers.jobs.tables import items

_json_option = json_option("Print every row as one JSON object per line.")
_STATUS = exit_status("success, with or without rows", "failure", "the ledger could not be read, or wrong usage")


@click.command(
    epilog=exit_status(
        "the asset is printed", "the ledger has no such asset", "the ledger could not be read, or wrong usage"
    )
)
@click.argument("asset_id", metavar="ID")
@json_option()
@data_option
def asset(asset_id: str, data: Path, as_json: bool) -> None:
    """Show the whole record of the released asset ID.

    That is its request, prompt, recipe, seed, device, verdict and marks.
    """
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.lineage(conn, asset_id)
        if found is None:
            raise click.ClickException(f"the ledger has no released asset {asset_id}")
        known = {name: value for name, value in found.items() if value is not None or name not in ("row", "variant")}
        record = {**_row_of(conn, str(found["item_id"])), **known}
    if as_json:
        click.echo(as_line(record))
    else:
        print_object(record)


@click.command("made-by", epilog=_STATUS)
@scope_options
@data_option
@_json_option
def made_by(*, data: Path, as_json: bool, **asked: Any) -> None:
    """List the items that a model, revision or LoRA made.

    Items are listed whatever their outcome. An item must meet every option that is given.
    """
    if asked["model"] is None and asked["revision"] is None and asked["lora"] is None:
        raise click.UsageError("give --model, --revision or --lora")
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.made_by(conn, scope_of(asked))
        print_rows(found, ("recorded_at", "outcome", "tenant", "item_id", "asset_id", "seed"), as_json=as_json)


@click.command(epilog=_STATUS)
@scope_options
@data_option
@_json_option
def refused(*, data: Path, as_json: bool, **asked: Any) -> None:
    """List the items that were held or refused, by which rules."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.refused(conn, scope_of(asked))
        print_rows(found, ("recorded_at", "outcome", "tenant", "item_id", "rules", "prompt"), as_json=as_json)


@click.command(epilog=_STATUS)
@click.option("--reviewer", metavar="NAME|ID", help="Name or id of the reviewer's key.")
@click.option("--decision", type=click.Choice(["release", "refuse"]), help="Only these decisions.")
@scope_options
@data_option
@_json_option
def reviews(*, reviewer: str | None, decision: str | None, data: Path, as_json: bool, **asked: Any) -> None:
    """List review decisions: who, what, when."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.reviews(conn, scope_of(asked), reviewer=reviewer, decision=decision)
        print_rows(
            found, ("recorded_at", "reviewer", "decision", "final", "item_id", "rules", "comment"), as_json=as_json
        )


@click.command(epilog=_STATUS)
@click.option("--from", "since", type=InstantType(), metavar="INSTANT", help="First used at this instant or later.")
@click.option("--to", "until", type=InstantType(), metavar="INSTANT", help="First used before this instant.")
@data_option
@_json_option
def approvals(*, since: datetime | None, until: datetime | None, data: Path, as_json: bool) -> None:
    """List who approved which rule sets and model cards.

    Lists when each was first used and under which key or process, and which person approved or retired a model and why.
    A rule set is approved by whoever starts a process with it; no second person is asked.
    """
    refuse_empty_span(since, until, "--from", "--to")
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.approvals(conn, Scope(since=since, until=until))
        print_rows(
            found, ("recorded_at", "document", "decision", "name", "version", "person", "actor"), as_json=as_json
        )


@click.command("still-public", epilog=_STATUS)
@click.option("--rules", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Rule set to apply. Without it: the rule set of this installation.")  # fmt: skip
@scope_options
@data_option
@_json_option
def still_public(*, path: Path | None, data: Path, as_json: bool, **asked: Any) -> None:
    """List public assets that a rule set would not release.

    Lists released assets that are not recalled and that the rule set would hold or refuse today. `presswork recall`
    withdraws them.
    """
    settings = auditor_settings(data)
    rules = Rules.load(path or settings.policy_rules)
    counted = Counter[str]()
    with open_ledger(settings) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        pages = find_still_public(lambda: nullcontext(conn), rules, scope=scope_of(asked))
        found = (one.to_json() for looked in _counted(pages, counted) for one in looked.found)
        print_rows(found, ("released_at", "decision", "rules", "tenant", "asset_id", "request_id"), as_json=as_json)
    text = f"{counted['judged']:,} public assets judged by {rules.version}"
    click.echo(
        text + (f"; {counted['not_judged']:,} could not be judged" if counted["not_judged"] else ""), err=as_json
    )


@click.command(epilog=_STATUS)
@click.option("--by", "by", multiple=True, type=click.Choice([str(by) for by in By]), default=[str(by) for by in By],
              help="Column to count by. Repeatable. Without it: all three.")  # fmt: skip
@scope_options
@data_option
@_json_option
def counts(*, by: tuple[str, ...], data: Path, as_json: bool, **asked: Any) -> None:
    """Count settled items by day (UTC), tenant or decision."""
    wanted = [By(name) for name in by]
    with open_ledger(auditor_settings(data)) as conn:
        print_rows(questions.counts(conn, wanted, scope_of(asked)), (*by, "items"), as_json=as_json)


QUESTIONS = (asset, made_by, refused, reviews, approvals, still_public, counts)


def _counted(pages: Iterable[StillPublicResult], counted: Counter[str]) -> Iterator[StillPublicResult]:
    for looked in pages:
        counted.update(judged=looked.judged, not_judged=looked.not_judged)
        yield looked


def _row_of(conn: Connection, item_id: str) -> dict[str, Any]:
    """The item's custom_id, while the job is kept, and its row, which older events lack."""
    try:
        wanted = str(UUID(item_id))
    except ValueError:
        return {}
    query = select(items.c.custom_id, items.c.row, items.c.variant).where(items.c.id == wanted)
    found = conn.execute(query).mappings().first()
    return dict(found) if found else {}
