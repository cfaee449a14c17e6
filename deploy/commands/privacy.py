"""`presswork privacy`: erase private text, hold back what must not be erased, see what retention does.

Works with the clerk's login, of the embedded stack of --data or, where PRESSWORK_DATABASE_URL is set and --data is not,
of the installation that the environment describes. An order is a row: the clerk carries it out, whoever wrote it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.instants import Instant
from deploy.commands.shared.options import data_option
from deploy.commands.stack import attached
from deploy.embedded.environment import settings_of
from workers.database import make_engine
from workers.jobs.privacy import legal_holds, retention
from workers.jobs.privacy.legal_holds import HoldScope, LegalHold
from workers.jobs.privacy.orders import ErasureStatus, list_erasures, order, refuse_where_it_cannot
from workers.jobs.privacy.select import NOUNS, ErasureCounts, ErasureScope
from workers.jobs.privacy.select import preview as count
from workers.settings import Settings

_ACTOR = "presswork privacy"
_SHOWN = 200  # rows of a list
_DATABASE_URL = "PRESSWORK_DATABASE_URL"

_tenant = click.option("--tenant", required=True, help="Whose texts.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def _scoped(command: Any) -> Any:
    """NOUN and VALUE: what is to be erased."""
    command = click.argument("value", default="")(command)
    return click.argument("noun", type=click.Choice(NOUNS), metavar="|".join(NOUNS))(command)


@click.group()
def privacy() -> None:
    """Erase private text, place and lift legal holds, see what retention does."""


@privacy.command()
@_scoped
@_tenant
@_json
@data_option
def preview(noun: str, value: str, tenant: str, data: Path, *, as_json: bool) -> None:
    """Count and name what an order would erase; change nothing.

    VALUE is the id of the item, asset, request or API key, or the text to look for; `tenant` needs none.
    """
    with _clerk(data) as (conn, _):
        found = count(conn, tenant, _scope(noun, value))
    click.echo(json.dumps(asdict(found)) if as_json else _told(found))


@privacy.command()
@_scoped
@_tenant
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def erase(noun: str, value: str, tenant: str, data: Path, *, yes: bool) -> None:
    """Order that texts are erased; the clerk does it within moments. It cannot be undone."""
    scope = _scope(noun, value)
    with _clerk(data) as (conn, _):
        found = count(conn, tenant, scope)
        refuse_where_it_cannot(scope, found)
        click.echo(_told(found))
        if not yes:
            click.confirm("Erase this for good?", abort=True)
        erasure_id = order(conn, tenant, scope, actor=_ACTOR)
    click.echo(f"ordered: erasure {erasure_id}. `presswork privacy list --tenant {tenant}` shows how far it has come")


@privacy.command("list")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--open", "open_only", is_flag=True, help="Only orders that are not finished.")
@_json
@data_option
def list_(tenant: str | None, data: Path, *, open_only: bool, as_json: bool) -> None:
    """Orders to erase, newest first, and how far they have come."""
    with _clerk(data) as (conn, _):
        found = list_erasures(conn, tenant, limit=_SHOWN, open_only=open_only)
    for erasure in found:
        click.echo(json.dumps(asdict(erasure), default=str) if as_json else _line(erasure))
    if not found and not as_json:
        click.echo("no orders")


@privacy.group()
def hold() -> None:
    """Legal holds: what they cover is erased by nobody until they are lifted."""


@hold.command("place")
@_tenant
@click.option("--request", "request_id", type=click.UUID, help="Only this request.")
@click.option("--item", "item_id", type=click.UUID, help="Only this item, and what its request says of all its items.")
@click.option("--asset", "asset_id", type=click.UUID, help="Only the item that became this asset.")
@click.option("--since", type=Instant(), help="Only what was there at this day or moment, or later.")
@click.option("--until", type=Instant(), help="Only what was there before this day or moment.")
@click.option("--reason", required=True, help="For those who may place holds; it is private text, too.")
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
    """Place a hold. From then on nothing in its scope is erased."""
    things = [str(thing) if thing else None for thing in (request_id, item_id, asset_id)]
    if sum(thing is not None for thing in things) > 1:
        raise click.UsageError("name at most one of --request, --item, --asset")
    if since and until and since >= until:
        raise click.UsageError("--until is not after --since")
    scope = HoldScope(things[0], things[1], things[2], since, until)
    with _clerk(data) as (conn, _):
        placed = legal_holds.place(conn, tenant, scope, reason=reason, actor=_ACTOR)
    click.echo(placed.id)


@hold.command("lift")
@click.argument("hold_id", type=click.UUID)
@_tenant
@data_option
def lift_(hold_id: object, tenant: str, data: Path) -> None:
    """Lift a hold. What waited for it goes on within a minute."""
    with _clerk(data) as (conn, _):
        lifted = legal_holds.lift(conn, tenant, str(hold_id), actor=_ACTOR)
    click.echo("lifted" if lifted else "was lifted already")


@hold.command("list")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--all", "everything", is_flag=True, help="Lifted ones too.")
@_json
@data_option
def list_holds_(tenant: str | None, data: Path, *, everything: bool, as_json: bool) -> None:
    """Holds, oldest first."""
    with _clerk(data) as (conn, _):
        found = legal_holds.list_holds(conn, tenant, limit=_SHOWN, lifted=everything)
    for known in found:
        click.echo(json.dumps(asdict(known), default=str) if as_json else _hold_line(known))
    if not found and not as_json:
        click.echo("no legal holds")


@privacy.command("retention")
@_json
@data_option
def retention_(data: Path, *, as_json: bool) -> None:
    """The periods, and how much text is due now. Objects are counted when the clerk looks at them."""
    with _clerk(data) as (conn, settings):
        for known in retention.CLASSES:
            days = int(getattr(settings, known.setting))
            due = retention.count_due(conn, known.name, days) if days and not known.place else None
            if as_json:
                click.echo(json.dumps({**asdict(known), "setting": known.setting, "days": days, "due": due}))
                continue
            kept = f"{days} days after {known.since}" if days else "for ever"
            click.echo(
                f"{known.name:<11} {known.what}: kept {kept}" + (f"; {due:,} due now" if due is not None else "")
            )


@contextmanager
def _clerk(data: Path) -> Iterator[tuple[Connection, Settings]]:
    """A transaction of the clerk's login, committed at its end, and the settings of its installation."""
    settings = _settings(data)
    engine = make_engine(settings.database_url.get_secret_value(), name="privacy", pool_size=1)
    try:
        with engine.begin() as conn:
            yield conn, settings
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", error)).partition("\n")[0]
        raise click.ClickException(f"the database refused: {said}. This needs the clerk's login") from error
    finally:
        engine.dispose()


def _settings(data: Path) -> Settings:
    given = click.get_current_context().get_parameter_source("data")
    if given is ParameterSource.DEFAULT and _DATABASE_URL in os.environ:
        return Settings()
    values: dict[str, Any] = settings_of(attached(data), "clerk")
    named = {name.removeprefix("PRESSWORK_").lower(): value for name, value in values.items()}
    return Settings(**named)  # periods come from the shell, as `presswork up` gives them to the clerk


def _scope(noun: str, value: str) -> ErasureScope:
    if noun == "tenant" and value:
        raise click.UsageError("`tenant` takes no VALUE: --tenant names it")
    if noun == "text" and not 3 <= len(value) <= 200:
        raise click.UsageError("the text to look for has 3 to 200 characters")
    if noun not in ("tenant", "text"):
        try:
            value = str(click.UUID.convert(value, None, None))
        except click.BadParameter as error:
            raise click.UsageError(f"VALUE must be the id of the {noun}") from error
    return ErasureScope(noun, value)


def _told(found: ErasureCounts) -> str:
    lines = [
        f"{found.items:,} items, {found.requests:,} requests, {found.replies:,} stored replies, "
        f"{found.events:,} reasons, pictures of {found.pictures:,} items",
        f"{found.ledger_texts:,} private texts of the ledger are among that; their proofs stay",
    ]
    lines += [f"  item     {item_id}" for item_id in found.item_ids]
    lines += [f"  request  {request_id}" for request_id in found.request_ids]
    if len(found.item_ids) < found.items or len(found.request_ids) < found.requests:
        lines.append("  ...")
    if found.unsettled_items:
        lines.append(f"{found.unsettled_items:,} items still need their prompt: cancel or review them first")
    if found.legal_holds:
        lines.append(f"under legal hold {', '.join(found.legal_holds)}: nothing can be ordered")
    return "\n".join(lines)


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
