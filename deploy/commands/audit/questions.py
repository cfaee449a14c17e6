"""`presswork audit asset`, `made-by`, `refused`, `reviews`, `still-public`, `counts`: questions, as tables or JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection, select

from deploy.commands.shared.opening import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option
from deploy.commands.shared.shown import as_line, show_rows, show_thing
from policy.ledger.reading import questions
from policy.ledger.reading.questions import By
from policy.rules import Rules
from policy.still_public import StillPublicResult, find_still_public
from workers.jobs.tables import items

_VERSION = re.compile(r"sha256:[0-9a-f]{64}")


def _json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a row, all rows.")(function)


def _tenant_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--tenant", help="Only this tenant's.")(function)


def _digest(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _VERSION.fullmatch(value):
        raise click.BadParameter("write sha256: and 64 hexadecimal digits, as the ledger does")
    return value


@click.command()
@click.argument("asset_id", metavar="ID")
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def asset(asset_id: str, data: Path, as_json: bool) -> None:
    """Everything about the released asset ID: request, prompt, recipe, seed, device, verdict, marks, links."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.lineage(conn, asset_id)
        if found is None:
            raise click.ClickException(f"the ledger knows no released asset {asset_id}")
        known = {name: value for name, value in found.items() if value is not None or name not in ("row", "variant")}
        told = {**_row_of(conn, str(found["item_id"])), **known}
    if as_json:
        click.echo(as_line(told))
    else:
        show_thing(told)


@click.command("made-by")
@click.option("--model", metavar="NAME", help="A model of the registry.")
@click.option("--revision", callback=_digest, metavar="sha256:...", help="The content hash of a model.")
@click.option("--lora", metavar="NAME", help="A LoRA.")
@_tenant_option
@data_option
@_json_option
def made_by(
    *, model: str | None, revision: str | None, lora: str | None, tenant: str | None, data: Path, as_json: bool
) -> None:
    """Every picture that a model, a revision of it or a LoRA made, released or not. Several options: all of them."""
    if model is None and revision is None and lora is None:
        raise click.UsageError("name --model, --revision or --lora")
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.made_by(conn, model=model, revision=revision, lora=lora, tenant=tenant)
        show_rows(found, ("recorded_at", "outcome", "tenant", "item_id", "asset_id", "seed"), as_json=as_json)


@click.command()
@click.option(
    "--policy", "version", required=True, callback=_digest, metavar="VERSION", help="sha256:... of the rules."
)
@_tenant_option
@data_option
@_json_option
def refused(version: str, tenant: str | None, data: Path, as_json: bool) -> None:
    """Every item that a policy version held or refused, and why."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.refused_under(conn, version, tenant=tenant)
        show_rows(found, ("recorded_at", "outcome", "tenant", "item_id", "rules", "prompt"), as_json=as_json)


@click.command()
@click.option("--reviewer", metavar="NAME|ID", help="The reviewer's key, by its name or id.")
@click.option("--decision", type=click.Choice(["release", "refuse"]), help="Only these.")
@_tenant_option
@data_option
@_json_option
def reviews(*, reviewer: str | None, decision: str | None, tenant: str | None, data: Path, as_json: bool) -> None:
    """Who reviewed what, when, and how they decided."""
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.reviews(conn, reviewer=reviewer, decision=decision, tenant=tenant)
        show_rows(
            found, ("recorded_at", "reviewer", "decision", "final", "item_id", "rules", "comment"), as_json=as_json
        )


@click.command("still-public")
@click.option("--rules", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="RULES",
              help="The rule set to judge by; left out, the one this installation runs.")  # fmt: skip
@_tenant_option
@data_option
@_json_option
def still_public(*, path: Path | None, tenant: str | None, data: Path, as_json: bool) -> None:
    """Released pictures, not recalled, that a rule set would hold or refuse today.

    `presswork recall` takes them back. Exit 0, whether there are any or not.
    """
    settings = auditor_settings(data)
    rules = Rules.load(path or settings.policy_rules)
    counted = Counter[str]()
    with open_ledger(settings) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        pages = find_still_public(lambda: nullcontext(conn), rules, tenant=tenant)
        found = (one.to_json() for looked in _counted(pages, counted) for one in looked.found)
        show_rows(found, ("released_at", "decision", "rules", "tenant", "asset_id", "request_id"), as_json=as_json)
    judged = f"{counted['judged']:,} public pictures judged by {rules.version}"
    click.echo(judged + (f"; {counted['not_judged']:,} could not be" if counted["not_judged"] else ""), err=as_json)


@click.command()
@click.option("--by", "by", multiple=True, type=click.Choice([str(by) for by in By]), default=[str(by) for by in By],
              help="Repeatable; left out, by all three.")  # fmt: skip
@_tenant_option
@data_option
@_json_option
def counts(by: tuple[str, ...], tenant: str | None, data: Path, as_json: bool) -> None:
    """How many items were settled, by day (UTC), by tenant, by decision, or by several of them."""
    wanted = [By(name) for name in by]
    with open_ledger(auditor_settings(data)) as conn:
        show_rows(questions.counts(conn, wanted, tenant=tenant), (*by, "items"), as_json=as_json)


COMMANDS = (asset, made_by, refused, reviews, still_public, counts)


def _counted(pages: Iterable[StillPublicResult], counted: Counter[str]) -> Iterator[StillPublicResult]:
    for looked in pages:
        counted.update(judged=looked.judged, not_judged=looked.not_judged)
        yield looked


def _row_of(conn: Connection, item_id: str) -> dict[str, Any]:
    """What the customer called the item, while the job is kept, and its row, which older events do not tell."""
    try:
        wanted = str(UUID(item_id))
    except ValueError:
        return {}
    query = select(items.c.custom_id, items.c.row, items.c.variant).where(items.c.id == wanted)
    found = conn.execute(query).mappings().first()
    return dict(found) if found else {}
