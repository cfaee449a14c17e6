"""`presswork catalogue apply`: makes exactly what a plan shows."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, given_data, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("the run has begun", "the plan was refused, such as where the catalogue moved since"))
@click.argument("name", metavar="CATALOGUE")
@click.argument("plan_id", metavar="PLAN")
@click.option("--only", metavar="KEY", multiple=True, help="Only the pictures of this key. Repeatable.")
@click.option("--again", is_flag=True, help="Also what failed or was refused before.")
@click.option("--limit", metavar="NUMBER", type=click.IntRange(1), show_default="all", help="Pictures at most.")
@click.option("--confirm", is_flag=True, help="Overrule what the plan asks a person about.")
@json_option("Print the API's JSON.")
@api_options
def apply(
    name: str,
    plan_id: str,
    data: Path,
    *,
    only: tuple[str, ...],
    again: bool,
    limit: int | None,
    confirm: bool,
    as_json: bool,
) -> None:
    """Make exactly what a plan shows, once.

    What is live stays live until the run is over; a held or failed picture leaves the old one. The first run is a
    pilot, which a person accepts.
    """
    with Client.of(data) as client:
        address = f"/v1/catalogues/{name}/plans/{plan_id}"
        asked = {"digest": client.get(address)["digest"] or "0" * 64, "only": [*only], "again": again}
        asked |= {"limit": limit, "confirm": confirm}
        begun = client.post(f"{address}/apply", asked)
    if as_json:
        click.echo(as_line(begun))
        return
    if begun["retired"]:
        click.echo(f"run {begun['run']} of {name} takes out {begun['retired']:,} pictures; a rollback brings them back")
    if not begun["request_id"]:
        return
    click.echo(f"run {begun['run']} of {name} makes {begun['slots']:,} pictures as request {begun['request_id']}")
    if begun["pilot"]:
        click.echo(
            f"{begun['pilot']['sampled']:,} of them are the pilot: presswork campaign pilot {begun['request_id']}"
        )
    click.echo(f"next: presswork watch {begun['request_id']}{given_data(data)}")
