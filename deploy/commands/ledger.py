"""`presswork ledger`: the signing key of the ledger."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option
from deploy.commands.shared.settings import installation_settings
from policy.ledger.tree.keys import KeyFiles, load_vkeys, rotate
from policy.ledger.tree.seal import newest, wait_for_lock


@click.group()
def ledger() -> None:
    """Replace the signing key of the ledger."""


@ledger.command(
    "rotate-key",
    epilog=exit_status("the sealer signs with the new key", "nothing was changed; standard error says why"),
)
@data_option
def rotate_key(data: Path) -> None:
    """Give the sealer a new signing key.

    The old key signs nothing after the newest head. Run the command where the sealer's files are, with the sealer's
    settings or on the embedded stack of --data. The sealer may run meanwhile. If the command is interrupted, run it
    again. Afterwards give the printed lines to everyone who verifies the ledger.
    """
    settings = installation_settings(data, "sealer")
    if not (settings.ledger_key and settings.ledger_vkeys):
        raise click.ClickException("PRESSWORK_LEDGER_KEY and PRESSWORK_LEDGER_VKEYS must name the sealer's files")
    files = KeyFiles(settings.ledger_key, settings.ledger_vkeys)
    engine = create_engine(settings.database_url.get_secret_value(), hide_parameters=True)
    try:
        with engine.begin() as conn:
            wait_for_lock(conn)  # no sealer signs until the end of this block
            head = newest(conn, load_vkeys(files.vkeys))
            rotate(files, origin=settings.ledger_origin, size=head[0].size if head else 0)
    except SQLAlchemyError as error:
        raise click.ClickException(f"cannot reach the ledger, and nothing was changed: {error}") from error
    finally:
        engine.dispose()
    click.echo(f"the sealer now signs with a new key. The lines of {files.vkeys}, for everyone who verifies:")
    for vkey in load_vkeys(files.vkeys):
        click.echo(vkey.line)
