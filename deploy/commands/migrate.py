"""`presswork migrate`: upgrades a database."""

from __future__ import annotations

import click


@click.command()
@click.argument("url", envvar="PRESSWORK_DATABASE_URL")
def migrate(url: str) -> None:
    """Upgrade a database to the newest revision.

    URL is the Postgres URL of the database with the owner's login (postgresql+psycopg://...). Without it,
    PRESSWORK_DATABASE_URL is used. The upgrade is one transaction. Repeating it changes nothing.
    """
    from migrations.upgrade import upgrade  # noqa: PLC0415 - alembic only when it migrates

    upgrade(url)
    click.echo("presswork: the database is at the newest revision")
