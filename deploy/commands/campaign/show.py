"""`presswork campaign show`: one request, with its summary."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.campaign.summary import check_text, summary_text
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line, print_object

_APART = ("counts", "summary", "links")


@click.command()
@click.argument("request")
@json_option("Print the API's JSON.")
@api_options
def show(request: str, data: Path, *, as_json: bool) -> None:
    """Show a request, and why images were not released."""
    with Client.of(data) as client:
        check = client.campaign_check(request)
        if check and check["state"] != "accepted":  # there is no request yet, or there will be none
            click.echo(as_line(check) if as_json else check_text(check))
            return
        status = client.request(request)
    if as_json:
        click.echo(as_line(status))
        return
    print_object({name: value for name, value in status.items() if name not in _APART})
    click.echo(summary_text(status))
