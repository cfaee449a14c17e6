"""`presswork target remove`: nothing is delivered to a target any more."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options
from deploy.commands.target.named import id_of_target


@click.command(epilog=exit_status("it is removed", "it is not; standard error says why"))
@click.argument("name", metavar="NAME")
@api_options
def remove(name: str, data: Path) -> None:
    """Remove the target NAME.

    Nothing is delivered there any more. What was delivered stays.
    """
    with Client.of(data) as client:
        client.delete(f"/v1/targets/{id_of_target(client, name)}")
    click.echo(f"{name} is removed")
