"""`presswork source list`: the sources of inputs and feeds, without their secrets."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import print_rows

_COLUMNS = ("bucket", "prefix", "endpoint", "access_key_id", "created_at")


@click.command("list")
@json_option("Print the API's JSON, one object per line.")
@api_options
def list_(data: Path, *, as_json: bool) -> None:
    """List sources of inputs and feeds, oldest first."""
    with Client.of(data) as client:
        print_rows(client.pages("/v1/sources"), _COLUMNS, as_json=as_json)
