"""`presswork catalogue history`: runs of a catalogue, the latest first."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import print_rows

_COLUMNS = ("run", "kind", "state", "slots", "flipped", "started_at", "ended_at", "request_id", "to_run")


@click.command()
@click.argument("name", metavar="CATALOGUE")
@click.option("--most", metavar="NUMBER", type=click.IntRange(1), default=50, show_default=True, help="Number of rows.")
@json_option("Print the API's JSON, one object per line.")
@api_options
def history(name: str, data: Path, *, most: int, as_json: bool) -> None:
    """List the runs of a catalogue, the latest first.

    Then how far what is live is at its target.
    """
    with Client.of(data) as client:
        runs = islice(client.pages(f"/v1/catalogues/{name}/runs"), most)
        print_rows(runs, _COLUMNS, as_json=as_json)
        delivery = None if as_json else client.get(f"/v1/catalogues/{name}")["delivery"]
    if delivery:
        click.echo(delivery_text(delivery))


def delivery_text(delivery: Mapping[str, Any]) -> str:
    """ "target shop, chairs/: 120 files, as after run 3; newer ones are on their way"."""
    place = f"target {delivery['target']}, {delivery['prefix']}"
    shown = f"{delivery['files']:,} files, as after run {delivery['run']}" if delivery["run"] else "no manifest yet"
    if delivery["paused_for"]:
        return f"{place}: {shown}; stands still: {delivery['paused_for']} ({delivery['detail']})"
    return f"{place}: {shown}" + ("; newer ones are on their way" if delivery["waiting"] else "")
