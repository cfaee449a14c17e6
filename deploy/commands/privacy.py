"""`presswork privacy`: erases private text, manages legal holds, and shows retention periods.

It needs the clerk's database login. An order is a row in the database, and the clerk carries it out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.instants import InstantType, refuse_empty_span
from deploy.commands.shared.options import data_option, json_option, tenant_option
from deploy.commands.shared.settings import installation_settings
from workers.database import make_engine
from workers.jobs.privacy import legal_holds, retention
from workers.jobs.privacy.legal_holds import HoldScope, LegalHold
from workers.jobs.privacy.orders import ErasureStatus, list_erasures, order, refuse_where_it_cannot
from workers.jobs.privacy.select import NOUNS, ErasureCounts, ErasureScope
from workers.jobs.privacy.select import preview as count
from workers.settings import Settings

_ACTOR = "presswork privacy"
_SHOWN = 200  # rows of a list

_tenant = tenant_option("Tenant whose text it is.", required=True)
_json = json_option("Print one JSON object per line.")


def _scoped(command: Any) -> Any:
    """NOUN and VALUE: what is to be erased."""
    command = click.argument("value", default="")(command)
    return click.argument("noun", type=click.Choice(NOUNS), metavar="|".join(NOUNS))(command)


@click.group()
def privacy() -> None:
    """Erase private text and manage legal holds.

    Works on the embedded stack of --data. If PRESSWORK_DATABASE_URL is set and --data is not given, it works on the
    installation that the environment describes. It needs the clerk's database login.
    """


@privacy.command()
@_scoped
@_tenant
@_json
@data_option
def preview(noun: str, value: str, tenant: str, data: Path, *, as_json: bool) -> None:
    """Show what an order would erase, and change nothing.

    VALUE is the id of the item, asset, request or API key, or the text to search for. `tenant` takes no VALUE.
    """
    with _clerk_login(data) as (conn, _):
        found = count(conn, tenant, _scope(noun, value))
    click.echo(json.dumps(asdict(found)) if as_json else _as_text(found))


@privacy.command(epilog=exit_status("the erasure is ordered", "nothing was ordered; standard error says why"))
@_scoped
@_tenant
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@data_option
def erase(noun: str, value: str, tenant: str, data: Path, *, yes: bool) -> None:
    """Order the erasure of private text.

    VALUE is the id of the item, asset, request or API key, or the text to search for. `tenant` takes no VALUE. The
    clerk erases the text within seconds. This cannot be undone.
    """
    scope = _scope(noun, value)
    with _clerk_login(data) as (conn, _):
        found = count(conn, tenant, scope)
        refuse_where_it_cannot(scope, found)
        click.echo(_as_text(found))
        if not yes:
            click.confirm("Erase this permanently?", abort=True)
        erasure_id = order(conn, tenant, scope, actor=_ACTOR)
    click.echo(f"ordered: erasure {erasure_id}. `presswork privacy list --tenant {tenant}` shows its progress")


@privacy.command("list")
@tenant_option("Only orders of this tenant.")
@click.option("--open", "open_only", is_flag=True, help="Only orders that are not finished.")
@_json
@data_option
def list_(tenant: str | None, data: Path, *, open_only: bool, as_json: bool) -> None:
    """List erasure orders and their progress, newest first.

    At most 200 are listed.
    """
    with _clerk_login(data) as (conn, _):
        found = list_erasures(conn, tenant, limit=_SHOWN, open_only=open_only)
    for erasure in found:
        click.echo(json.dumps(asdict(erasure), default=str) if as_json else _line(erasure))
    if not found and not as_json:
        click.echo("no erasure orders")


@privacy.group()
def hold() -> None:
    """Place, lift and list legal holds.

    Nothing that a legal hold covers is erased until the hold is lifted.
    """


@hold.command("place")
@_tenant
@click.option("--request", "request_id", metavar="ID", type=click.UUID, help="Cover only this request.")
@click.option(
    "--item", "item_id", metavar="ID", type=click.UUID, help="Cover only this item and the shared texts of its request."
)
@click.option("--asset", "asset_id", metavar="ID", type=click.UUID, help="Cover only the item of this asset.")
@click.option(
    "--since", metavar="INSTANT", type=InstantType(), help="Cover only what existed at this instant or later."
)
@click.option("--until", metavar="INSTANT", type=InstantType(), help="Cover only what existed before this instant.")
@click.option(
    "--reason", metavar="TEXT", required=True, help="Reason, for those who may place holds. It is private text as well."
)
@data_option
def place_(
    data: Path,
    *,
    tenant: str,
    request_id: object,
    item_id: object,
    asset_id: object,
    since: datetime | None,
    until: datetime | None,
    reason: str,
) -> None:
    """Place a legal hold on text of a tenant.

    From then on nothing that it covers is erased. Prints the id of the hold. An INSTANT is a day (UTC), or a date and
    time with its zone.
    """
    things = [str(thing) if thing else None for thing in (request_id, item_id, asset_id)]
    if sum(thing is not None for thing in things) > 1:
        raise click.UsageError("give at most one of --request, --item and --asset")
    refuse_empty_span(since, until, "--since", "--until")
    scope = HoldScope(things[0], things[1], things[2], since, until)
    with _clerk_login(data) as (conn, _):
        placed = legal_holds.place(conn, tenant, scope, reason=reason, actor=_ACTOR)
    click.echo(placed.id)


@hold.command("lift")
@click.argument("hold_id", type=click.UUID)
@_tenant
@data_option
def lift_(hold_id: object, tenant: str, data: Path) -> None:
    """Lift the legal hold HOLD_ID.

    Erasures that waited for it continue within a minute.
    """
    with _clerk_login(data) as (conn, _):
        lifted = legal_holds.lift(conn, tenant, str(hold_id), actor=_ACTOR)
    click.echo("lifted" if lifted else "the hold was lifted before")


@hold.command("list")
@tenant_option("Only holds of this tenant.")
@click.option("--all", "everything", is_flag=True, help="Include lifted holds.")
@_json
@data_option
def list_holds_(tenant: str | None, data: Path, *, everything: bool, as_json: bool) -> None:
    """List legal holds, oldest first.

    At most 200 are listed.
    """
    with _clerk_login(data) as (conn, _):
        found = legal_holds.list_holds(conn, tenant, limit=_SHOWN, lifted=everything)
    for known in found:
        click.echo(json.dumps(asdict(known), default=str) if as_json else _hold_line(known))
    if not found and not as_json:
        click.echo("no legal holds")


@privacy.command("retention")
@_json
@data_option
def retention_(data: Path, *, as_json: bool) -> None:
    """Show the retention periods and how much text is due.

    Pictures are not counted here: the clerk counts them when it sweeps.
    """
    with _clerk_login(data) as (conn, settings):
        for known in retention.CLASSES:
            days = int(getattr(settings, known.setting))
            due = retention.count_due(conn, known.name, days) if days and known.name in retention.COUNTED else None
            if as_json:
                click.echo(json.dumps({**asdict(known), "setting": known.setting, "days": days, "due": due}))
                continue
            kept = f"{days} days after {known.since}" if days else "forever"
            click.echo(
                f"{known.name:<11} {known.what}: kept {kept}" + (f"; {due:,} due now" if due is not None else "")
            )


@contextmanager
def _clerk_login(data: Path) -> Iterator[tuple[Connection, Settings]]:
    """A transaction with the clerk's login, committed at its end, and the settings of the installation."""
    settings = installation_settings(data, "clerk")
    engine = make_engine(settings.database_url.get_secret_value(), name="privacy", pool_size=1)
    try:
        with engine.begin() as conn:
            yield conn, settings
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise click.ClickException(f"the database refused: {reason}. Remedy: use the clerk's login") from error
    finally:
        engine.dispose()


def _scope(noun: str, value: str) -> ErasureScope:
    if noun == "tenant" and value:
        raise click.UsageError("`tenant` takes no VALUE; --tenant names the tenant")
    if noun == "text" and not 3 <= len(value) <= 200:
        raise click.UsageError("the text to search for must have 3 to 200 characters")
    if noun not in ("tenant", "text"):
        try:
            value = str(click.UUID.convert(value, None, None))
        except click.BadParameter as error:
            raise click.UsageError(f"VALUE must be the id of the {noun}") from error
    return ErasureScope(noun, value)


def _as_text(found: ErasureCounts) -> str:
    lines = [
        f"{_number(found.items, 'item')}, {_number(found.requests, 'request')}, "
        f"{_number(found.replies, 'stored reply', 'stored replies')}, {_number(found.events, 'reason')}, "
        f"images of {_number(found.pictures, 'item')}",
        f"including {_number(found.ledger_texts, 'private text')} of the ledger, whose proofs stay valid",
    ]
    lines += [f"  item     {item_id}" for item_id in found.item_ids]
    lines += [f"  request  {request_id}" for request_id in found.request_ids]
    if len(found.item_ids) < found.items or len(found.request_ids) < found.requests:
        lines.append("  ...")
    if found.checks:
        lines.append(f"{_number(found.checks, 'check')} of large campaigns, with what was found")
    if found.open_checks:
        lines.append(f"{_number(found.open_checks, 'large campaign')} being checked: cancel them first, or wait")
    if found.unsettled_items:
        lines.append(f"{_number(found.unsettled_items, 'unsettled item')}: cancel or review them first")
    if found.legal_holds:
        lines.append(f"legal hold {', '.join(found.legal_holds)} covers part of it: nothing can be ordered")
    return "\n".join(lines)


def _number(count_: int, one: str, many: str | None = None) -> str:
    return f"{count_:,} {one if count_ == 1 else many or one + 's'}"


def _line(erasure: ErasureStatus) -> str:
    done = ", ".join(f"{count_:,} {place}" for place, count_ in sorted(erasure.erased.items()))
    left = ", ".join(f"{count_:,} {kind}" for kind, count_ in sorted(erasure.left.items()))
    scope = " ".join(f"{noun} {value}" if value is not True else noun for noun, value in erasure.scope.items())
    return (
        f"{erasure.ordered_at:%Y-%m-%d %H:%M} {erasure.state:<8} {erasure.id} {scope} by {erasure.ordered_by}: "
        f"erased {done or 'nothing'}" + (f"; left {left}" if left else "")
    )


def _hold_line(known: LegalHold) -> str:
    thing = f"item {known.item_id}" if known.item_id else f"request {known.request_id}" if known.request_id else "all"
    times = "".join(f", {word} {at:%Y-%m-%d %H:%M}" for word, at in (("from", known.since), ("to", known.until)) if at)
    state = f"lifted {known.lifted_at:%Y-%m-%d %H:%M} by {known.lifted_by}" if known.lifted_at else "active"
    return f"{known.id} {known.tenant}: {thing}{times}; {state}; placed by {known.placed_by}: {known.reason}"
