"""`presswork recall`: withdraws released images, of one tenant or of all, with the clerk's login."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.instants import InstantType, refuse_empty_span
from deploy.commands.shared.options import data_option, json_option, tenant_option
from deploy.commands.shared.settings import installation_settings
from deploy.commands.shared.tables import print_object, print_rows
from workers.database import make_engine
from workers.errors import Conflict
from workers.jobs.recall.criteria import Criteria, RecallCounts, licensed, preview, tenants_of
from workers.jobs.recall.orders import REASON_CODES, order
from workers.jobs.recall.views import RecallView, get_recall, list_recalls, matching_now
from workers.sampling.cards.registry import Registry
from workers.settings import Settings

_SHOWN = 20  # rows of a list, and of each group of a preview
_DIGEST = "sha256:..."


@click.group()
def recall() -> None:
    """Withdraw released images.

    `preview` counts what an order would withdraw, `order` orders it, `show` shows its progress. The clerk carries it
    out. Works on the embedded stack of --data. If PRESSWORK_DATABASE_URL is set and --data is not given, it works on
    the installation that the environment describes. It needs the clerk's database login.
    """


def _criteria_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--asset", "asset_id", metavar="ID", type=click.UUID, help="This asset."),
        click.option("--request", "request_id", metavar="ID", type=click.UUID, help="Assets of this request."),
        click.option("--model", metavar="NAME", help="Assets made by this model."),
        click.option("--revision", "model_revision", metavar=_DIGEST, help="Assets made by this revision of a model."),
        click.option("--lora", metavar="NAME", help="Assets made with this LoRA."),
        click.option("--input", "input_id", metavar="ID", type=click.UUID, help="Assets made from this input."),
        click.option("--licence", metavar="LICENCE", help="Assets made by models whose card has this licence."),
        click.option("--policy", "policy_version", metavar=_DIGEST, help="Assets released under this rule set."),
        click.option("--rule", metavar="RULE", help="Assets that were released although this rule had a finding."),
        click.option(
            "--reviewer", metavar="ID", type=click.UUID, help="Assets released by the reviewer with this key."
        ),
        click.option(
            "--from", "since", metavar="INSTANT", type=InstantType(), help="Assets released at this instant or later."
        ),
        click.option(
            "--to", "until", metavar="INSTANT", type=InstantType(), help="Assets released before this instant."
        ),
        tenant_option("Only assets of this tenant. Without it: of every tenant."),
        data_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@recall.command("preview")
@_criteria_options
@json_option()
def preview_command(tenant: str | None, data: Path, as_json: bool, **given: Any) -> None:
    """Count what an order would recall, and change nothing.

    An asset must meet every criterion that is given. An INSTANT is a day (UTC), or a date and time with its zone.
    """
    settings = installation_settings(data, "clerk", with_auditor=True)
    criteria = _criteria(settings, given)
    with _clerk_login(settings) as conn:
        found = preview(conn, tenant, criteria)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
    else:
        _show(found)


@recall.command("order", epilog=exit_status("the recall is ordered", "nothing was ordered; standard error says why"))
@_criteria_options
@click.option(
    "--reason-code", required=True, type=click.Choice(REASON_CODES), help="Reason that webhooks and look-ups show."
)
@click.option("--reason", metavar="TEXT", default="", help="Explanation for people. The ledger holds its digest.")
@click.option(
    "--by",
    metavar="NAME",
    default=getpass.getuser,
    show_default="your login",
    help="Name of the person who orders it, for the ledger.",
)
@click.option(
    "--expect",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    help="Number of assets that the preview counted. Any other number orders nothing.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def order_command(
    *,
    tenant: str | None,
    data: Path,
    reason_code: str,
    reason: str,
    by: str,
    expect: int | None,
    yes: bool,
    **given: Any,
) -> None:
    """Recall every released asset that matches now.

    Places one order for each tenant, all of them or none, and prints their ids. The clerk carries them out within
    seconds. An asset must meet every criterion that is given. An INSTANT is a day (UTC), or a date and time with its
    zone.
    """
    settings = installation_settings(data, "clerk", with_auditor=True)
    criteria = _criteria(settings, given)
    if not yes:
        with _clerk_login(settings) as conn:
            found = preview(conn, tenant, criteria)
        _show(found)
        click.confirm(f"recall {_assets(found.released)}?", abort=True)
        expect = expect or found.released
    with _clerk_login(settings) as conn:
        owners = [tenant] if tenant else tenants_of(conn, criteria)
        words: dict[str, Any] = {"reason_code": reason_code, "reason": reason, "actor": f"operator:{by}"}
        ids = [order(conn, owner, criteria, **words) for owner in owners]
        made = [get_recall(conn, None, recall_id) for recall_id in ids]
        covered = sum(view.assets for view in made)
        if not made:
            raise Conflict("no released asset matches that is not in a recall already. Nothing was ordered")
        if expect not in (None, covered):
            raise Conflict(f"{_assets(covered)} match now, not {expect:,}. Nothing was ordered")
    for view in made:
        click.echo(f"{view.id}  {view.tenant}: {_assets(view.assets)}")


@recall.command("list")
@data_option
@tenant_option("Only recalls of this tenant.")
@json_option("Print one JSON object per recall.")
def list_command(data: Path, tenant: str | None, as_json: bool) -> None:
    """List the newest 20 recalls and their progress."""
    with _clerk_login(installation_settings(data, "clerk", with_auditor=True)) as conn:
        found = list_recalls(conn, tenant, limit=_SHOWN)
    if as_json:
        for view in found:
            click.echo(json.dumps(asdict(view), default=str))
        return
    for view in found:
        at = f"{view.ordered_at:%Y-%m-%d %H:%M}"
        progress = f"{view.moved:,} of {view.assets:,} withdrawn"
        click.echo(f"{view.id}  {at}  {view.tenant}  {view.reason_code}  {progress}  {_state(view)}")
    if not found:
        click.echo("none")


@recall.command("show")
@click.argument("recall_id", metavar="ID", type=click.UUID)
@data_option
@json_option()
def show_command(recall_id: object, data: Path, as_json: bool) -> None:
    """Show the recall ID: order, progress, and later matches.

    `matching now` counts assets that meet the criteria and were released after the order.
    """
    with _clerk_login(installation_settings(data, "clerk", with_auditor=True)) as conn:
        view = get_recall(conn, None, str(recall_id))
        later = matching_now(conn, view.tenant, Criteria.from_json(view.criteria))
    shown = {**asdict(view), "state": _state(view), "matching_now": later}
    if as_json:
        click.echo(json.dumps(shown, default=str))
        return
    print_object(shown)


def _state(view: RecallView) -> str:
    return "finished" if view.finished_at else "open"


def _criteria(settings: Settings, given: dict[str, Any]) -> Criteria:
    plain: dict[str, Any] = {n: v if v is None or isinstance(v, datetime) else str(v) for n, v in given.items()}
    if not any(plain.values()):
        raise click.UsageError("name at least one criterion; without one, everything would be recalled")
    refuse_empty_span(plain["since"], plain["until"], "--from", "--to")
    if plain["licence"] is None:
        return Criteria(**plain)
    registry = Registry.load(settings.models_dir)
    cards = [registry.get(name) for name in registry.names()]
    found = _licensed(settings, cards, plain["licence"])
    if not found:
        known = ", ".join(sorted({card.licence for card in cards}))
        raise click.UsageError(f"no model has the licence {plain['licence']!r}; the installed models have {known}")
    return Criteria(**plain, licensed=found)


def _licensed(settings: Settings, cards: list[Any], licence: str) -> tuple[str, ...]:
    """With the auditor's login, models that are no longer installed count as well."""
    if settings.auditor_database_url is None:
        return licensed(None, cards, licence)
    engine = make_engine(settings.auditor_database_url.get_secret_value(), name="recall", pool_size=1)
    with engine.connect() as conn:
        return licensed(conn, cards, licence)


@contextmanager
def _clerk_login(settings: Settings) -> Iterator[Connection]:
    """A transaction with the clerk's login, which may read every tenant and write orders."""
    engine = make_engine(settings.database_url.get_secret_value(), name="recall", pool_size=1)
    try:
        with engine.begin() as conn:
            yield conn
    finally:
        engine.dispose()


def _assets(count: int) -> str:
    return "1 released asset" if count == 1 else f"{count:,} released assets"


def _show(found: RecallCounts) -> None:
    span = (
        f", released {found.first_release:%Y-%m-%d %H:%M} to {found.last_release:%Y-%m-%d %H:%M}"
        if found.released
        else ""
    )
    click.echo(f"{_assets(found.released)} would be recalled{span}")
    click.echo(f"{found.ordered:,} more are in an open recall, {found.recalled:,} were recalled before")
    for groups in (found.by_campaign, found.by_model, found.by_tenant):
        if groups:
            print_rows(groups[:_SHOWN], tuple(groups[0]), as_json=False)
    for asset_id in found.sample:
        click.echo(f"  example: {asset_id}")
