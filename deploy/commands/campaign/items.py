"""`presswork campaign items`: the results of a request, as a table or as a file to open, correct and send again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.files import short_path, writing
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import print_rows

_COLUMNS = ("row", "custom_id", "variant", "state", "code", "rule", "channel", "file_name", "remedy")
_PREFIX = "presswork_"
_STATES = ("released", "failed", "held", "refused", "cancelled", "recalled")
_FORMATS = ("csv", "jsonl", "parquet", "zip")


@click.command()
@click.argument("request")
@click.option("--only", type=click.Choice(_STATES), help="Only items in this state. failed: each row once.")
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Only these files. Repeatable.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="Write the results in this format, not as a table.")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    show_default="standard output",
    help="File to write; its ending says the format.",
)
@json_option("Print one JSON object per line.")
@api_options
def items(
    request: str,
    data: Path,
    *,
    only: str | None,
    channels: tuple[str, ...],
    kind: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Show what became of each row of a request.

    With --only failed -o failed.csv, the file has the columns of your own file and then ours. Correct it and submit it
    again: our columns are left out.
    """
    query: dict[str, Any] = {"channel": [*channels], **({"only": only} if only else {})}
    ending = Path(output).suffix.removeprefix(".").lower()
    kind = kind or (ending if output != "-" and ending in _FORMATS else None)
    if output != "-" and kind is None:
        raise click.UsageError(f"{output} does not say its format. Give --format, or end it in .csv, .jsonl or .zip")
    with Client.of(data) as client:
        if kind is None:
            lines = client.results(request, **query)
            print_rows(lines if as_json else map(_shown, lines), _COLUMNS, as_json=as_json)
            return
        with client.stream(f"/v1/requests/{request}/results", format=kind, **query) as parts:
            if output == "-":
                for part in parts:
                    sys.stdout.buffer.write(part)
                return
            path = Path(output)
            with writing(path), path.with_name(f".{path.name}.part").open("wb") as file:
                for part in parts:
                    file.write(part)
            path.with_name(f".{path.name}.part").replace(path)
    click.echo(f"{short_path(path)} written", err=True)


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[f"{_PREFIX}{name}"] for name in _COLUMNS}
