"""`presswork catalogue ticks`: what became of the runs that began by themselves."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import print_rows

_COLUMNS = ("due_at", "state", "outcome", "reason", "missed", "run", "plan_id")


@click.command()
@click.argument("name", metavar="CATALOGUE")
@json_option("Print the API's JSON, one object per line.")
@api_options
def ticks(name: str, data: Path, *, as_json: bool) -> None:
    """List the runs that began by themselves, latest first."""
    with Client.of(data) as client:
        print_rows(client.get(f"/v1/catalogues/{name}/schedule")["ticks"], _COLUMNS, as_json=as_json)
