"""`presswork campaign watch`: progress of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.client import Client
from deploy.commands.campaign.asked.waiting import await_check
from deploy.commands.campaign.summary import summary_text
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options

_POLL_SECONDS = 0.3
_SETTLED = ("released", "held", "refused", "failed", "cancelled", "recalled")


@click.command(epilog=exit_status("every item is settled, whatever its outcome", "the API refused or did not answer"))
@click.argument("request")
@api_options
def watch(request: str, data: Path) -> None:
    """Show the progress of a request until it is settled.

    REQUEST is the id that `presswork submit` printed. A large campaign is checked first.
    """
    with Client.of(data) as client:
        await_check(client, request)
        click.echo(summary_text(show_progress(client, request)))


def show_progress(client: Client, request_id: str) -> dict[str, Any]:
    """Follow a request until every item is settled; its last status."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    with Progress(*columns, console=Console(), transient=False) as progress:
        task = progress.add_task("items", total=None, counts="")
        for status in client.watch(request_id, pause_seconds=_POLL_SECONDS):
            counts = {state: n for state, n in status["counts"].items() if n}
            settled = sum(counts.get(state, 0) for state in _SETTLED)
            text = "  ".join(f"{n} {state}" for state, n in counts.items())
            progress.update(task, total=status["items"], completed=settled, counts=text)
    return status
