"""`presswork catalogue rollback`: what was live after an earlier run is live again."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options


@click.command(epilog=exit_status("it is live again", "there is no such run, or a run is being made"))
@click.argument("name", metavar="CATALOGUE")
@click.option("--to", "to_run", metavar="RUN", type=click.IntRange(0), required=True, help="The run to return to.")
@api_options
def rollback(name: str, data: Path, *, to_run: int) -> None:
    """Return to what was live after an earlier run.

    Nothing is drawn and nothing is deleted. The catalogue is marked as paused until a plan is applied.
    """
    with Client.of(data) as client:
        back = client.post(f"/v1/catalogues/{name}/rollback", {"to_run": to_run})
    click.echo(f"run {back['run']}: {back['flipped']:,} pictures are those of run {to_run} again")
