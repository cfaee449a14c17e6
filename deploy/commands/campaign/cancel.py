"""`presswork campaign cancel`: cancels what is open of a request."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line


@click.command()
@click.argument("request")
@json_option()
@api_options
def cancel(request: str, data: Path, *, as_json: bool) -> None:
    """Cancel what is open of a request. What is released stays.

    A large campaign that is still being checked is never made.

    `presswork request cancel` cancels a part of it.
    """
    with Client.of(data) as client:
        cancelled = client.cancel(request)
    click.echo(as_line({"cancelled": cancelled}) if as_json else f"cancelled: {cancelled} items")
