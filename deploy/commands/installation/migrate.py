"""`presswork migrate`: upgrades a database."""

from __future__ import annotations

import click
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from deploy.commands.shared.exit_status import exit_status


@click.command(
    epilog=exit_status(
        "the database is at the newest revision", "the database was not changed; standard error says why"
    )
)
@click.argument("url", envvar="PRESSWORK_DATABASE_URL")
def migrate(url: str) -> None:
    """Upgrade a database to the newest revision.

    URL is the Postgres URL of the database with the owner's login (postgresql+psycopg://...). Without it,
    PRESSWORK_DATABASE_URL is used. The upgrade is one transaction, so it happens
    as a whole or not at all. Repeating it changes nothing.
    """
    from migrations.upgrade import upgrade  # noqa: PLC0415 - alembic only when it migrates

    try:
        upgrade(url)
    except ArgumentError as error:
        raise click.BadParameter(
            "not a URL such as postgresql+psycopg://owner:...@host/database", param_hint="URL"
        ) from error
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise click.ClickException(f"cannot upgrade the database, and nothing was changed: {reason}") from error
    click.echo("presswork: the database is at the newest revision")
