"""`presswork key`: API keys, made in the database by whoever holds the API's login.

The login is that of the settings, or of the embedded stack for anyone who can read its data directory.
"""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from deploy.commands.shared.options import data_option
from deploy.commands.shared.settings import installation_settings
from workers.jobs.keys import AGENT, AGENT_SCOPES, SCOPES, create_key, create_tenant

_ACTOR = "presswork key"


@click.group()
def key() -> None:
    """Create API keys.

    The API lists and revokes keys: GET and DELETE /v1/keys, with a key of scope admin.
    """


@key.command()
@click.option(
    "--tenant", metavar="TENANT", default="demo", show_default=True, help="Tenant of the key. Created if it is new."
)
@click.option(
    "--weight",
    metavar="NUMBER",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Planner turns of a new tenant relative to the others.",
)
@click.option("--name", metavar="NAME", required=True, help="Name of the key: who or what uses it.")
@click.option(
    "--scopes",
    metavar="SCOPE,...",
    default="submit,read",
    show_default=True,
    help=f"Comma-separated scopes of {', '.join(SCOPES)}; or {AGENT}, with read and audit.",
)
@click.option(
    "--person", metavar="PERSON", help="Owner of the key. Two keys of one person count as one person in reviews."
)
@click.option(
    "--daily-images",
    metavar="NUMBER",
    type=click.IntRange(1),
    help="Images that an agent's key (scope agent) may send in a day of UTC.",
)
@data_option
def create(
    data: Path, *, tenant: str, weight: int, name: str, scopes: str, person: str | None, daily_images: int | None
) -> None:
    """Create a key and print it once.

    It is made in the database that PRESSWORK_DATABASE_URL names with the API's login, or in the embedded stack of
    --data. The key is printed on standard output, its description on standard error. Only its hash is stored.
    """
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    if unknown := sorted(set(wanted) - {*SCOPES, AGENT}):
        raise click.BadParameter(
            f"unknown scope {', '.join(unknown)}; the scopes are {', '.join((*SCOPES, AGENT))}", param_hint="--scopes"
        )
    if AGENT in wanted and (person or set(wanted) - set(AGENT_SCOPES)):
        raise click.BadParameter("agent goes with read and audit only, and without a person", param_hint="--scopes")
    if (AGENT in wanted) != (daily_images is not None):
        raise click.BadParameter("it belongs to a key of the scope agent, which needs it", param_hint="--daily-images")
    settings = installation_settings(data, "api")
    engine = create_engine(settings.database_url.get_secret_value(), hide_parameters=True)
    try:
        with engine.begin() as conn:
            _as_tenant(conn, tenant)
            create_tenant(conn, tenant, name=tenant, actor=_ACTOR, weight=weight)
            stored, secret = create_key(
                conn, tenant, name=name, scopes=wanted, actor=_ACTOR, person=person, daily_images=daily_images
            )
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise click.ClickException(
            f"no key was made: {reason}. The command needs the login of the API and a migrated database"
        ) from error
    finally:
        engine.dispose()
    click.echo(secret)
    click.echo(f"key {stored.id} of tenant {tenant}: {', '.join(stored.scopes)}. It is not shown again.", err=True)


def _as_tenant(conn: Connection, tenant: str) -> None:
    conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": tenant})
