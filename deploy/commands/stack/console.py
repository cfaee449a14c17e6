"""`presswork console`: a link that opens the console, signed in."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option


@click.command(epilog=exit_status("the link was printed", "the API does not answer, or serves no console"))
@data_option
def console(data: Path) -> None:
    """Print a link that opens the console signed in.

    The link works once, within ten minutes, with the rights of the API key of this command.
    """
    with Client.of(data) as client:
        click.echo(client.console_link())
