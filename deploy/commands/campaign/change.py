"""`presswork campaign change`: changes priority, deadline and budget of a request while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line

_LIMITS = ("images", "gpu_seconds", "cost", "currency")


@click.command(epilog=exit_status("the request is as asked for", "the API refused it or did not answer"))
@click.argument("request_id", metavar="REQUEST")
@click.option(
    "--priority", type=click.Choice(["interactive", "standard", "bulk"]), help="Class of turns of what waits."
)
@click.option("--deadline", metavar="MOMENT", help='Such as 2027-03-01T18:00:00Z. "none" takes the deadline away.')
@click.option(
    "--at-deadline",
    type=click.Choice(["pause", "expire"]),
    help="pause: what waits goes on when somebody resumes it. expire: it is cancelled.",
)
@click.option("--images", metavar="NUMBER", type=int, help="Budget: images at most.")
@click.option("--gpu-seconds", metavar="SECONDS", type=float, help="Budget: GPU seconds at most.")
@click.option("--cost", metavar="AMOUNT", type=float, help="Budget: money at most, with --currency.")
@click.option("--currency", metavar="CODE", help="Currency of --cost, such as EUR.")
@click.option("--no-budget", is_flag=True, help="Take the budget of the request away.")
@json_option()
@api_options
def change(request_id: str, data: Path, *, no_budget: bool, as_json: bool, **given: Any) -> None:
    """Change priority, deadline and budget of a request.

    What is left out stays. A budget that is given replaces the one before; a request that was paused for it goes on.
    """
    said = {name: value for name, value in given.items() if value is not None}
    budget = {name: said.pop(name) for name in _LIMITS if name in said}
    if budget and no_budget:
        raise click.UsageError("--no-budget takes the budget away; leave it out, or leave the limits out")
    if budget or no_budget:
        said["budget"] = budget or None
    if not said:
        raise click.UsageError("nothing is to be changed. Give --priority, --deadline, --images or another option")
    if said.get("deadline") == "none":
        said["deadline"] = None
    with Client.of(data) as client:
        status = client.patch(f"/v1/requests/{request_id}", said)
    click.echo(as_line(status) if as_json else standing(status))


def standing(status: dict[str, Any]) -> str:
    """A request's phase and counts in one line."""
    why = f" ({status['paused_for']})" if status["paused_for"] else ""
    counts = ", ".join(f"{count} {state}" for state, count in status["counts"].items() if count)
    deadline = f", deadline {status['deadline']}" if status["deadline"] else ""
    limits = status.get("budget") or {}
    budget = "".join(f", {name} {limits[name]}" for name in ("images", "gpu_seconds", "cost") if limits.get(name))
    said = f"request {status['id']}: {status['phase']}{why}, {status['priority']}{deadline}"
    return f"{said}{', budget' + budget[1:] if budget else ''}; {counts}"
