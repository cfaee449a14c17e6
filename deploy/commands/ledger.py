"""`presswork ledger`: the sealer's key, and a new one in its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.options import data_option
from policy.ledger.tree.keys import KeyFiles, load_vkeys, rotate
from policy.ledger.tree.seal import newest, wait_for_lock
from workers.settings import Settings


@click.group()
def ledger() -> None:
    """The sealer's key."""


@ledger.command("rotate-key")
@data_option
def rotate_key(data: Path) -> None:
    """Give the sealer a new key; the old one signs nothing after the newest head there is.

    Run it where the sealer's files are, with the sealer's settings or on the embedded stack of --data. The sealer may
    run meanwhile. Killed anywhere, run it again. Then hand the printed lines to everybody who verifies.
    """
    settings = _sealer_settings(data)
    if not (settings.ledger_key and settings.ledger_vkeys):
        raise click.ClickException("PRESSWORK_LEDGER_KEY and PRESSWORK_LEDGER_VKEYS must name the sealer's files")
    files = KeyFiles(settings.ledger_key, settings.ledger_vkeys)
    engine = create_engine(settings.database_url.get_secret_value(), hide_parameters=True)
    try:
        with engine.begin() as conn:
            wait_for_lock(conn)  # until the end of this block nobody seals
            head = newest(conn, load_vkeys(files.vkeys))
            rotate(files, origin=settings.ledger_origin, size=head[0].size if head else 0)
    except SQLAlchemyError as error:
        raise click.ClickException(f"cannot reach the ledger, and nothing was changed: {error}") from error
    finally:
        engine.dispose()
    click.echo(f"the sealer signs with a new key from now on. The lines of {files.vkeys}, for everybody who verifies:")
    for vkey in load_vkeys(files.vkeys):
        click.echo(vkey.line)


def _sealer_settings(data: Path) -> Settings:
    given = click.get_current_context().get_parameter_source("data")
    if given is ParameterSource.DEFAULT and "PRESSWORK_DATABASE_URL" in os.environ:
        return Settings()
    from deploy.commands.stack import attached  # noqa: PLC0415 - an installation need not have the embedded parts
    from deploy.embedded.environment import settings_of  # noqa: PLC0415

    values: dict[str, Any] = settings_of(attached(data), "sealer")
    return Settings(**{name.removeprefix("PRESSWORK_").lower(): value for name, value in values.items()})
