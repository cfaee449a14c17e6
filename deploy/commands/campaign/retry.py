"""`presswork campaign retry`: makes the failed images of a request again."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("the failed images are made again", "the API refused it, or did not answer"))
@click.argument("request")
@click.option("--new-seed", is_flag=True, help="From another seed each. Without it: from the same one.")
@click.option(
    "--custom-id", "custom_ids", multiple=True, metavar="NAME", show_default="all", help="Row to retry. Repeatable."
)
@json_option()
@api_options
def retry(request: str, data: Path, *, new_seed: bool, custom_ids: tuple[str, ...], as_json: bool) -> None:
    """Make the failed images of a request again.

    Images that policy refused are never made again: correct their rows and send them as a campaign.
    """
    body = {"new_seed": new_seed, "custom_ids": list(custom_ids)}
    with Client.of(data) as client:
        done = client.post(f"/v1/requests/{request}/retry", body)
    click.echo(as_line(done) if as_json else f"made again: {done['items']} images, as round {done['round']}")
