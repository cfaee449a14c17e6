"""`presswork submit` and `presswork watch`: a campaign from the command line, with live progress."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.client import Client
from deploy.commands.shared.options import data_option

_LOOK_SECONDS = 0.3
_SETTLED = ("released", "held", "refused", "failed", "cancelled", "recalled")


@click.command()
@click.argument("csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--template", required=True, help='Prompt with {column} placeholders, e.g. "a {colour} {product}".')
@click.option("--name", default="", help="Name of the campaign.")
@click.option("--model", help="Model; may be left out while there is only one.")
@click.option("--upscale", type=int, help="Times each side is enlarged after drawing, e.g. 4.")
@click.option("--lora", "loras", multiple=True, metavar="NAME[:SCALE]", help="Adapter of the model; repeatable.")
@click.option("--variants", default=1, show_default=True, help="Images of each row.")
@click.option(
    "--priority",
    type=click.Choice(["interactive", "standard", "bulk"]),
    default="standard",
    show_default=True,
    help="Whose turn it is: somebody waits, today, overnight.",
)
@click.option("--dry-run", is_flag=True, help="Check and screen every row, store nothing.")
@click.option("--idempotency-key", help="Sending the same key again gives the same request, not a second one.")
@click.option("--watch", "watching", is_flag=True, help="Stay and show progress.")
@data_option
def submit(csv: Path, data: Path, *, idempotency_key: str | None, watching: bool, **wishes: Any) -> None:
    """Send CSV times a template to the API of the embedded stack."""
    wishes["loras"] = [_lora(text) for text in wishes["loras"]]
    spec = {name: value for name, value in wishes.items() if value not in (None, "", [])}
    with Client.of(data) as client:
        reply = client.submit_campaign(csv, spec, idempotency_key=idempotency_key)
        click.echo(summary(reply))
        if watching and not wishes["dry_run"]:
            show_progress(client, reply["id"])


@click.command()
@click.argument("request")
@data_option
def watch(request: str, data: Path) -> None:
    """Show the progress of REQUEST until every item is settled."""
    with Client.of(data) as client:
        show_progress(client, request)


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.partition(":")
    try:
        return {"name": name, "scale": float(scale)} if colon else {"name": name}
    except ValueError:
        raise click.BadParameter(f"{text!r} is not NAME or NAME:SCALE", param_hint="--lora") from None


def summary(reply: dict[str, Any]) -> str:
    """What the API said of a campaign, for a person."""
    accepted = f"request {reply['id']}" if "id" in reply else "dry run, nothing stored"
    lines = [f"{accepted}: {reply['rows']} rows, {reply['items']} items"]
    lines += [f"  refused by policy, row {r['row']}: {r['message']}" for r in reply["refused"][:10]]
    if reply["held_items"]:
        lines.append(f"  waiting for a person's review, once made: {reply['held_items']}")
    lines += [f"  note: {notice['message']}" for notice in reply["warnings"]]
    return "\n".join(lines)


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
        status = client.request(request_id)
        task = progress.add_task("making", total=status["items"], counts="")
        while True:
            counts = {state: n for state, n in status["counts"].items() if n}
            settled = sum(counts.get(state, 0) for state in _SETTLED)
            shown = "  ".join(f"{n} {state}" for state, n in counts.items())
            progress.update(task, completed=settled, counts=shown)
            if settled == status["items"]:
                return status
            time.sleep(_LOOK_SECONDS)
            status = client.request(request_id)
