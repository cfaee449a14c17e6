"""`presswork campaign list`: the requests of the tenant."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import print_rows

_COLUMNS = ("id", "created_at", "state", "items", "released", "held", "refused", "failed", "name")


@click.command("list")
@click.option("--most", metavar="NUMBER", type=click.IntRange(1), default=50, show_default=True, help="Number of rows.")
@json_option("Print the API's JSON, one object per line.")
@api_options
def list_(data: Path, *, most: int, as_json: bool) -> None:
    """List requests, newest first."""
    with Client.of(data) as client:
        found = islice(client.requests(), most)
        print_rows(found if as_json else map(_row, found), _COLUMNS, as_json=as_json)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, **one["summary"], "state": one.get("phase", one["state"])}
