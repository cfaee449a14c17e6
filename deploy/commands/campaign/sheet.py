"""`presswork campaign sheet`: a contact sheet of a request."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.campaign.summary import summary_text
from deploy.commands.shared.files import short_path, writing
from deploy.commands.shared.options import api_options


@click.command()
@click.argument("request")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that ends in .html, .pdf or .png. A PNG shows the first 18 files; HTML goes on in further pages.",
)
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Only these files. Repeatable.")
@click.option(
    "--most", metavar="NUMBER", type=click.IntRange(1, 5000), default=300, show_default=True, help="Number of files."
)
@api_options
def sheet(request: str, data: Path, *, output: Path, channels: tuple[str, ...], most: int) -> None:
    """Show rows with their files on a contact sheet.

    Grouped by row and channel, with states and reasons. It shows what there is while the request runs.
    """
    from deploy.sheet.documents import demand_ending, write_sheet  # noqa: PLC0415 - the libraries of pictures
    from deploy.sheet.tiles import tiles  # noqa: PLC0415

    demand_ending(output)
    with Client.of(data) as client:
        status = client.request(request)
        shown = list(tiles(client, request, channels=channels, most=most))
    with writing(output):
        write_sheet(shown, status["name"] or f"Request {status['id']}", summary_text(status), output)
    click.echo(f"{len(shown):,} files on {short_path(output)}")
