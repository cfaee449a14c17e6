"""`presswork campaign submit`: sends a campaign to the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.campaign.asked.spec import pictures_of, rows_of, spec_of, spec_options
from deploy.commands.campaign.asked.waiting import shown_check
from deploy.commands.campaign.summary import reply_text, summary_text
from deploy.commands.campaign.watch import show_progress
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, given_data, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("the campaign was accepted", "the API refused it or did not answer"))
@spec_options
@click.option("--dry-run", is_flag=True, help="Check and screen every row, and store nothing.")
@click.option(
    "--idempotency-key", metavar="KEY", help="Repeating a submission with the same key returns the first request."
)
@click.option("--later", is_flag=True, help="Hand the file over and return. Follow its check with watch.")
@click.option("--watch", "watching", is_flag=True, help="Show progress until every item is settled.")
@json_option("Print the API's JSON.")
@api_options
def submit(
    rows: str,
    data: Path,
    *,
    dry_run: bool,
    idempotency_key: str | None,
    later: bool,
    watching: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Submit a campaign: a file of rows and a prompt template.

    FILE holds the rows; - is standard input. Each row becomes one item per variant. The API checks and screens every
    row before it stores anything. If a row has a mistake, nothing is stored, and each mistake is listed with its row,
    column and remedy. A large file is checked in the background, and progress is shown; stop looking at any
    time, the check goes on.
    """
    spec = spec_of(given) | ({"dry_run": True} if dry_run else {}) | ({"check": "later"} if later else {})
    with Client.of(data) as client, pictures_of(given) as pictures, shown_check(quiet=as_json) as notify:
        sent = client.send_campaign(rows_of(rows), spec, idempotency_key=idempotency_key, pictures=pictures)
        if later and not watching:
            click.echo(as_line(sent) if as_json else f"campaign {sent['id']}: accepted, and checked next")
            if not as_json:
                click.echo(f"next: presswork campaign watch {sent['id']}{given_data(data)}")
            return
        reply = client.checked(sent["id"], notify) if "state" in sent else sent
        click.echo(as_line(reply) if as_json else reply_text(reply))
        if dry_run or as_json:
            return
        if watching:
            click.echo(summary_text(show_progress(client, reply["id"])))
        if reply.get("pilot"):
            click.echo(f"next: presswork campaign pilot {reply['id']} -o pilot.html{given_data(data)}")
            return
        click.echo(f"next: presswork fetch {reply['id']} --to FOLDER{given_data(data)}")
