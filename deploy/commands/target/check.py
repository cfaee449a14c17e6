"""`presswork target check`: check a target anew, and try deliveries that stand still."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options
from deploy.commands.target.add import checked
from deploy.commands.target.named import id_of_target
from deploy.errors import CallFailed


@click.command(epilog=exit_status("the bucket can be written to", "it cannot, or the API refused it"))
@click.argument("name", metavar="NAME")
@api_options
def check(name: str, data: Path) -> None:
    """Check the target NAME anew.

    Deliveries that stood still are tried as soon as it can be written to.
    """
    with Client.of(data) as client:
        id = id_of_target(client, name)
        client.post(f"/v1/targets/{id}/check")
        found = checked(client, id)
    if found["state"] != "ready":
        raise CallFailed(f"{name} cannot be written to: {found['reason'] or 'it was not checked in time'}")
    click.echo(f"{name} is ready")
