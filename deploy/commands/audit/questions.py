"""`presswork audit asset`, `made-by`, `refused`, `reviews`, `still-public`, `counts`: queries as tables or JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection, select

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, json_option, tenant_option
from deploy.commands.shared.tables import as_line, print_object, print_rows
from policy.ledger.reading import questions
from policy.ledger.reading.questions import By
from policy.rules import Rules
from policy.still_public import StillPublicResult, find_still_public
from workers.jobs.tables import items

_VERSION = re.compile(r"sha256:[0-9a-f]{64}")


_json_option = json_option("Print every row as one JSON object per line.")
_tenant_option = tenant_option()
_STATUS = exit_status("success, with or without rows", "failure", "the ledger could not be read, or wrong usage")


def _digest(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _VERSION.fullmatch(value):
        raise click.BadParameter("must be sha256: and 64 hexadecimal digits")
    return value


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
@click.option("--model", metavar="NAME", help="Name of the model.")
@click.option("--revision", callback=_digest, metavar="sha256:...", help="Revision of the model.")
@click.option("--lora", metavar="NAME", help="Name of the LoRA.")
@_tenant_option
@data_option
@_json_option
def made_by(
    *, model: str | None, revision: str | None, lora: str | None, tenant: str | None, data: Path, as_json: bool
) -> None:
    """List the items that a model, revision or LoRA made.

    Items are listed whatever their outcome. An item must meet every option that is given.
    """
    if model is None and revision is None and lora is None:
        raise click.UsageError("give --model, --revision or --lora")
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.made_by(conn, model=model, revision=revision, lora=lora, tenant=tenant)
        print_rows(found, ("recorded_at", "outcome", "tenant", "item_id", "asset_id", "seed"), as_json=as_json)


@click.command(epilog=_STATUS)
@click.option(
    "--policy",
    "version",
    required=True,
    callback=_digest,
    metavar="sha256:...",
    help="Policy version: the digest of the rule set.",
)
@_tenant_option
@data_option
@_json_option
def refused(version: str, tenant: str | None, data: Path, as_json: bool) -> None:
    """List the items that a policy version held or refused."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.refused_under(conn, version, tenant=tenant)
        print_rows(found, ("recorded_at", "outcome", "tenant", "item_id", "rules", "prompt"), as_json=as_json)


@click.command(epilog=_STATUS)
@click.option("--reviewer", metavar="NAME|ID", help="Name or id of the reviewer's key.")
@click.option("--decision", type=click.Choice(["release", "refuse"]), help="Only these decisions.")
@_tenant_option
@data_option
@_json_option
def reviews(*, reviewer: str | None, decision: str | None, tenant: str | None, data: Path, as_json: bool) -> None:
    """List review decisions: who, what, when."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.reviews(conn, reviewer=reviewer, decision=decision, tenant=tenant)
        print_rows(
            found, ("recorded_at", "reviewer", "decision", "final", "item_id", "rules", "comment"), as_json=as_json
        )


@click.command("still-public", epilog=_STATUS)
@click.option("--rules", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Rule set to apply. Without it: the rule set of this installation.")  # fmt: skip
@_tenant_option
@data_option
@_json_option
def still_public(*, path: Path | None, tenant: str | None, data: Path, as_json: bool) -> None:
    """List public assets that a rule set would not release.

    Lists released assets that are not recalled and that the rule set would hold or refuse today. `presswork recall`
    withdraws them.
    """
    settings = auditor_settings(data)
    rules = Rules.load(path or settings.policy_rules)
    counted = Counter[str]()
    with open_ledger(settings) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        pages = find_still_public(lambda: nullcontext(conn), rules, tenant=tenant)
        found = (one.to_json() for looked in _counted(pages, counted) for one in looked.found)
        print_rows(found, ("released_at", "decision", "rules", "tenant", "asset_id", "request_id"), as_json=as_json)
    text = f"{counted['judged']:,} public assets judged by {rules.version}"
    click.echo(
        text + (f"; {counted['not_judged']:,} could not be judged" if counted["not_judged"] else ""), err=as_json
    )


@click.command(epilog=_STATUS)
@click.option("--by", "by", multiple=True, type=click.Choice([str(by) for by in By]), default=[str(by) for by in By],
              help="Column to count by. Repeatable. Without it: all three.")  # fmt: skip
@_tenant_option
@data_option
@_json_option
def counts(by: tuple[str, ...], tenant: str | None, data: Path, as_json: bool) -> None:
    """Count settled items by day (UTC), tenant or decision."""
    wanted = [By(name) for name in by]
    with open_ledger(auditor_settings(data)) as conn:
        print_rows(questions.counts(conn, wanted, tenant=tenant), (*by, "items"), as_json=as_json)


QUESTIONS = (asset, made_by, refused, reviews, still_public, counts)


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
