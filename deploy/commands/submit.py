"""`presswork submit`: sends a campaign to the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option
from deploy.commands.watch import show_progress

_REFUSED_SHOWN = 10  # rows


@click.command(epilog=exit_status("the campaign was accepted", "the API refused it or did not answer"))
@click.argument("csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--template",
    metavar="TEXT",
    required=True,
    help='Prompt with the columns of the CSV as {placeholders}, such as "a {colour} {product}".',
)
@click.option("--name", metavar="NAME", default="", help="Name of the campaign.")
@click.option("--model", metavar="NAME", help="Name of the model. Not needed if there is only one.")
@click.option("--upscale", metavar="FACTOR", type=int, help="Factor by which each side is enlarged, such as 4.")
@click.option("--lora", "loras", multiple=True, metavar="NAME[:SCALE]", help="LoRA of the model. Repeatable.")
@click.option(
    "--variants", metavar="NUMBER", type=int, default=1, show_default=True, help="Number of images for each row."
)
@click.option(
    "--priority",
    type=click.Choice(["interactive", "standard", "bulk"]),
    default="standard",
    show_default=True,
    help="interactive: a person waits. standard: today. bulk: overnight.",
)
@click.option("--dry-run", is_flag=True, help="Check and screen every row, and store nothing.")
@click.option(
    "--idempotency-key", metavar="KEY", help="Repeating a submission with the same key returns the first request."
)
@click.option("--watch", "watching", is_flag=True, help="Show progress until every item is settled.")
@data_option
def submit(csv: Path, data: Path, *, idempotency_key: str | None, watching: bool, **given: Any) -> None:
    """Submit a campaign: a CSV file and a prompt template.

    Sends CSV to the API of the embedded stack. Each row becomes one item per variant. The API checks and screens every
    row before it stores anything. If a row has a mistake, nothing is stored, and each mistake is listed with its row,
    column and remedy.
    """
    given["loras"] = [_lora(text) for text in given["loras"]]
    spec = {name: value for name, value in given.items() if value not in (None, "", [])}
    with Client.of(data) as client:
        reply = client.submit_campaign(csv, spec, idempotency_key=idempotency_key)
        click.echo(summary(reply))
        if watching and not given["dry_run"]:
            show_progress(client, reply["id"])


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.partition(":")
    try:
        return {"name": name, "scale": float(scale)} if colon else {"name": name}
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither NAME nor NAME:SCALE", param_hint="--lora") from None


def summary(reply: dict[str, Any]) -> str:
    """The API's reply to a campaign as lines of text."""
    accepted = f"request {reply['id']}" if "id" in reply else "dry run, nothing stored"
    lines = [f"{accepted}: {reply['rows']} rows, {reply['items']} items"]
    lines += [f"  refused by policy, row {r['row']}: {r['message']}" for r in reply["refused"][:_REFUSED_SHOWN]]
    if len(reply["refused"]) > _REFUSED_SHOWN:
        lines.append(f"  ... and {len(reply['refused']) - _REFUSED_SHOWN} more refused rows")
    if reply["held_items"]:
        lines.append(f"  items that a reviewer must release: {reply['held_items']}")
    lines += [f"  note: {notice['message']}" for notice in reply["warnings"]]
    return "\n".join(lines)
