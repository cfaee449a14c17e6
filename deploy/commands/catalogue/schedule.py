"""`presswork catalogue schedule`: the catalogue runs by itself from now on, or no longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.catalogue.file import demand_file
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("it runs by itself, or no longer", "the file has errors, or the API refused it"))
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--stop", is_flag=True, help="It runs by itself no longer.")
@json_option("Print the API's JSON.")
@api_options
def schedule(file: Path, data: Path, *, stop: bool, as_json: bool) -> None:
    """Let a catalogue run by itself, as its file says.

    FILE is the catalogue; its `schedule` says when, and whether a run is applied without asking. What runs is this
    file, until another is started or applied.
    """
    read = demand_file(file)
    address = f"/v1/catalogues/{read.body.name}/schedule"
    with Client.of(data) as client:
        started = {} if stop else client.put(address, read.written)
        if stop:
            client.delete(address)
    if as_json:
        click.echo(as_line(started))
    elif stop:
        click.echo(f"catalogue {read.body.name} runs by itself no longer")
    else:
        click.echo(_said(started))


def _said(started: dict[str, Any]) -> str:
    apply = started["timetable"].get("apply", "within-limits")
    then = {
        "never": "it is planned, and a person applies the plan",
        "always": "it is planned and applied",
        "within-limits": "it is planned, and applied unless a safeguard asks",
    }[apply]
    return f"catalogue {started['catalogue']}, version {started['version']}: next run {started['begin_at']}; {then}"
