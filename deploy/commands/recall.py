"""`presswork recall`: the operator takes released pictures back, of one tenant or of all, as the clerk's role."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from pydantic import ValidationError
from sqlalchemy import Connection

from deploy.commands.shared.options import data_option
from deploy.commands.shared.shown import show_rows, show_thing
from policy.ledger.reading.stream import instant
from workers.database import make_engine
from workers.errors import Conflict
from workers.jobs.recall.criteria import Criteria, RecallCounts, licensed, preview, tenants_of
from workers.jobs.recall.orders import REASON_CODES, order
from workers.jobs.recall.views import RecallView, get_recall, list_recalls, matching_now
from workers.sampling.registry import Registry
from workers.settings import Settings

_SHOWN = 20
_DIGEST_HINT = "sha256:..."


@click.group()
def recall() -> None:
    """Take released pictures back: look, order, follow.

    Works on the embedded stack of --data, or, where PRESSWORK_DATABASE_URL is set and --data is not, on the
    installation that the environment describes. It needs the clerk's database login; the clerk carries the order out.
    """


def _criteria_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--asset", "asset_id", type=click.UUID, help="This one asset."),
        click.option("--request", "request_id", type=click.UUID, help="Everything of this campaign or request."),
        click.option("--model", help="Made by this model."),
        click.option(
            "--revision", "model_revision", metavar=_DIGEST_HINT, help="Made by exactly these bytes of a model."
        ),
        click.option("--lora", help="Made with this LoRA."),
        click.option("--licence", help="Made by a model whose card carries this licence."),
        click.option("--policy", "policy_version", metavar=_DIGEST_HINT, help="Released under this rule set."),
        click.option("--rule", help="This rule spoke, and a threshold or a person let it pass."),
        click.option("--reviewer", type=click.UUID, help="Released by a person with this key (its id)."),
        click.option(
            "--from", "since", callback=_moment, metavar="WHEN", help="Released at this day or moment or later."
        ),
        click.option("--to", "until", callback=_moment, metavar="WHEN", help="Released before this day or moment."),
        click.option("--tenant", help="Only this tenant's; left out: every tenant's."),
        data_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    try:
        return instant(value) if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@recall.command("preview")
@_criteria_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def preview_command(tenant: str | None, data: Path, as_json: bool, **given: Any) -> None:
    """Count what an order would recall now. Changes nothing."""
    settings = _settings(data)
    criteria = _criteria(settings, given)
    with _desk(settings) as conn:
        found = preview(conn, tenant, criteria)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
    else:
        _show(found)


@recall.command("order")
@_criteria_options
@click.option(
    "--reason-code", required=True, type=click.Choice(REASON_CODES), help="What receivers and look-ups are told."
)
@click.option("--reason", default="", help="For people; the ledger holds its digest.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who orders it, for the ledger.")
@click.option("--expect", type=click.IntRange(min=1), help="As the preview counted: another number orders nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
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
    """Recall what matches now: one order for each tenant, all of them or none. The clerk carries them out."""
    settings = _settings(data)
    criteria = _criteria(settings, given)
    if not yes:
        with _desk(settings) as conn:
            found = preview(conn, tenant, criteria)
        _show(found)
        click.confirm(f"recall {_assets(found.released)}?", abort=True)
        expect = expect or found.released
    with _desk(settings) as conn:
        owners = [tenant] if tenant else tenants_of(conn, criteria)
        words: dict[str, Any] = {"reason_code": reason_code, "reason": reason, "actor": f"operator:{by}"}
        ids = [order(conn, owner, criteria, **words) for owner in owners]
        made = [get_recall(conn, None, recall_id) for recall_id in ids]
        covered = sum(view.assets for view in made)
        if not made:
            raise Conflict("no released asset matches that is not in a recall already; nothing was ordered")
        if expect not in (None, covered):
            raise Conflict(f"{_assets(covered)} match now, not {expect:,}; nothing was ordered")
    for view in made:
        click.echo(f"{view.id}  {view.tenant}: {_assets(view.assets)}")


@recall.command("list")
@data_option
@click.option("--tenant", help="Only this tenant's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a recall.")
def list_command(data: Path, tenant: str | None, as_json: bool) -> None:
    """The newest recalls and how far they are carried out."""
    with _desk(_settings(data)) as conn:
        found = list_recalls(conn, tenant, limit=_SHOWN)
    if as_json:
        for view in found:
            click.echo(json.dumps(asdict(view), default=str))
        return
    for view in found:
        at = f"{view.ordered_at:%Y-%m-%d %H:%M}"
        progress = f"{view.moved:,} of {view.assets:,} out of reach"
        click.echo(f"{view.id}  {at}  {view.tenant}  {view.reason_code}  {progress}  {_state(view)}")
    if not found:
        click.echo("none")


@recall.command("show")
@click.argument("recall_id", metavar="ID", type=click.UUID)
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_command(recall_id: object, data: Path, as_json: bool) -> None:
    """One recall: what was ordered, how far it is, and what matches its criteria today."""
    with _desk(_settings(data)) as conn:
        view = get_recall(conn, None, str(recall_id))
        later = matching_now(conn, view.tenant, Criteria.from_json(view.criteria))
    told = {**asdict(view), "state": _state(view), "matching_now": later}
    if as_json:
        click.echo(json.dumps(told, default=str))
        return
    show_thing(told)


def _state(view: RecallView) -> str:
    return "finished" if view.finished_at else "open"


def _criteria(settings: Settings, given: dict[str, Any]) -> Criteria:
    plain: dict[str, Any] = {n: v if v is None or isinstance(v, datetime) else str(v) for n, v in given.items()}
    if not any(plain.values()):
        raise click.UsageError("name at least one criterion: without any, everything would be recalled")
    if plain["since"] and plain["until"] and plain["since"] >= plain["until"]:
        raise click.UsageError("--to is not after --from")
    if plain["licence"] is None:
        return Criteria(**plain)
    registry = Registry.load(settings.models_dir)
    cards = [registry.get(name) for name in registry.names()]
    found = _licensed(settings, cards, plain["licence"])
    if not found:
        known = ", ".join(sorted({card.licence for card in cards}))
        raise click.UsageError(f"no model's card carries the licence {plain['licence']!r}; those at hand carry {known}")
    return Criteria(**plain, licensed=found)


def _licensed(settings: Settings, cards: list[Any], licence: str) -> tuple[str, ...]:
    """With the auditor's login, models that are no longer at hand count, too."""
    if settings.auditor_database_url is None:
        return licensed(None, cards, licence)
    engine = make_engine(settings.auditor_database_url.get_secret_value(), name="recall", pool_size=1)
    with engine.connect() as conn:
        return licensed(conn, cards, licence)


def _settings(data: Path) -> Settings:
    given = click.get_current_context().get_parameter_source("data")
    try:
        if given is ParameterSource.DEFAULT and "PRESSWORK_DATABASE_URL" in os.environ:
            return Settings()
        from deploy.commands.stack import attached  # noqa: PLC0415 - an installation need not have the embedded parts
        from deploy.embedded.environment import settings_of  # noqa: PLC0415

        stack = attached(data)
        values: dict[str, Any] = settings_of(stack, "clerk")
        named = {name.removeprefix("PRESSWORK_").lower(): value for name, value in values.items()}
        return Settings(**{"auditor_database_url": stack.postgres.url("auditor"), **named})
    except ValidationError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _desk(settings: Settings) -> Iterator[Connection]:
    """A transaction as the clerk: it passes the tenants' walls and writes orders."""
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
    click.echo(f"{found.ordered:,} more are under an order, {found.recalled:,} were recalled before")
    for groups in (found.by_campaign, found.by_model, found.by_tenant):
        if groups:
            show_rows(groups[:_SHOWN], tuple(groups[0]), as_json=False)
    for asset_id in found.sample:
        click.echo(f"  for example {asset_id}")
