"""`presswork campaign check`: what a submission would be answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.campaign.asked.spec import pictures_of, rows_of, spec_of, spec_options
from deploy.commands.campaign.asked.waiting import shown_check
from deploy.commands.campaign.summary import reply_text
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("the campaign would be accepted", "the API would refuse it, or did not answer"))
@spec_options
@json_option("Print the API's JSON.")
@api_options
def check(rows: str, data: Path, *, as_json: bool, **given: Any) -> None:
    """Check and screen every row of a campaign; store nothing.

    FILE holds the rows; - is standard input.
    """
    with Client.of(data) as client, pictures_of(given) as pictures, shown_check(quiet=as_json) as notify:
        reply = client.check_campaign(rows_of(rows), spec_of(given), pictures=pictures, on_check=notify)
    click.echo(as_line(reply) if as_json else reply_text(reply))
