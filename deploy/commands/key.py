"""`presswork key`: API keys of the embedded stack, made by whoever can read its data directory."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import Connection, create_engine, text

from deploy.commands.shared.options import data_option
from deploy.commands.stack import attached
from workers.jobs.keys import SCOPES, create_key, create_tenant

_ACTOR = "presswork key"


@click.group()
def key() -> None:
    """Make API keys."""


@key.command()
@click.option("--tenant", default="demo", show_default=True, help="Made if it is new.")
@click.option("--weight", default=1, show_default=True, type=click.IntRange(1, 1000), help="Turns of a new tenant.")
@click.option("--name", required=True, help="Who or what will use the key.")
@click.option("--scopes", default="submit,read", show_default=True, help=f"Comma-separated: {', '.join(SCOPES)}.")
@click.option("--person", help="Whose key it is. For reviews, two keys of one person are one person.")
@data_option
def create(data: Path, *, tenant: str, weight: int, name: str, scopes: str, person: str | None) -> None:
    """Make a key and print it, once. Only its hash is stored."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    if unknown := sorted(set(wanted) - set(SCOPES)):
        raise click.BadParameter(f"no scope is called {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    engine = create_engine(attached(data).postgres.url("api"))
    with engine.begin() as conn:
        _as_tenant(conn, tenant)
        create_tenant(conn, tenant, name=tenant, actor=_ACTOR, weight=weight)
        stored, secret = create_key(conn, tenant, name=name, scopes=wanted, actor=_ACTOR, person=person)
    engine.dispose()
    click.echo(secret)
    click.echo(f"key {stored.id} of tenant {tenant}: {', '.join(stored.scopes)}. It is not shown again.", err=True)


def _as_tenant(conn: Connection, tenant: str) -> None:
    conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": tenant})
