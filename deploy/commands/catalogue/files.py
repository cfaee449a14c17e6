"""`presswork catalogue files`: the files of the last run, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options

_OF_RUN = ("feed.csv", "errors.csv", "run.json")


@click.command()
@click.argument("name", metavar="CATALOGUE")
@click.option(
    "-o",
    "--output",
    metavar="DIRECTORY",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current one",
    help="Where they are written.",
)
@click.option(
    "--address",
    metavar="URL",
    default="",
    show_default="none",
    help="Put before each file name in feed.csv.",
)
@api_options
def files(name: str, data: Path, *, output: Path, address: str) -> None:
    """Save manifest, feed with its pictures, and errors.

    manifest.csv and manifest.jsonl say what is live. feed.csv is the feed with its pictures, errors.csv has the rows
    without one, to be corrected and sent again; run.json is the last run.
    """
    output.mkdir(parents=True, exist_ok=True)
    asked: list[tuple[str, str, dict[str, Any]]] = [
        (f"manifest.{format}", "manifest", {"format": format}) for format in ("csv", "jsonl")
    ]
    asked += [(file, f"files/{file}", {"address": address} if address else {}) for file in _OF_RUN]
    with Client.of(data) as client:
        for file, path, query in asked:
            there = output / file
            with client.stream(f"/v1/catalogues/{name}/{path}", **query) as pieces, there.open("wb") as written:
                for part in pieces:
                    written.write(part)
            click.echo(str(there))
