"""`presswork catalogue list`: the catalogues of the tenant."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import print_rows

_COLUMNS = ("name", "version", "runs", "paused_for", "updated_at")


@click.command("list")
@json_option("Print the API's JSON, one object per line.")
@api_options
def list_(data: Path, *, as_json: bool) -> None:
    """List the catalogues, by name."""
    with Client.of(data) as client:
        print_rows(client.get("/v1/catalogues")["data"], _COLUMNS, as_json=as_json)
