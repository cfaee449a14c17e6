"""`presswork catalogue retire`: goods that are listed no longer."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options


@click.command()
@click.argument("name", metavar="CATALOGUE")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@api_options
def retire(name: str, keys: tuple[str, ...], data: Path) -> None:
    """Take goods out of the manifest; their files stay."""
    with Client.of(data) as client:
        retired = client.post(f"/v1/catalogues/{name}/retire", {"keys": [*keys]})["retired"]
    click.echo(f"{retired:,} pictures are listed no longer")
