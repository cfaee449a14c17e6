"""`presswork catalogue manifest`: what is live, a line for each file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import api_options


@click.command()
@click.argument("name", metavar="CATALOGUE")
@click.option(
    "--format", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True, help="How it is written."
)
@click.option("--links", is_flag=True, help="With a presigned link for each file.")
@api_options
def manifest(name: str, data: Path, *, format: str, links: bool) -> None:
    """Print what is live: each file with its name and digest."""
    with (
        Client.of(data) as client,
        client.stream(f"/v1/catalogues/{name}/manifest", format=format, links=links) as pieces,
    ):
        for part in pieces:
            sys.stdout.buffer.write(part)
