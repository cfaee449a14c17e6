"""`presswork campaign sheet`: a contact sheet of a request."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.campaign.summary import summary_text
from deploy.commands.shared.files import short_path, writing
from deploy.commands.shared.options import api_options

_ENDINGS = (".html", ".pdf", ".png")


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
    from deploy.sheet import drawing, page  # noqa: PLC0415 - the libraries of pictures
    from deploy.sheet.tiles import tiles  # noqa: PLC0415

    ending = output.suffix.lower()
    if ending not in _ENDINGS:
        raise click.UsageError(f"{output} does not say what to write. End it in {', '.join(_ENDINGS)}")
    with Client.of(data) as client:
        status = client.request(request)
        shown = list(tiles(client, request, channels=channels, most=most))
    title, summary = status["name"] or f"Request {status['id']}", summary_text(status)
    with writing(output):
        if ending == ".pdf":
            drawing.write_pdf(shown, title, summary, output)
        elif ending == ".png":
            drawing.write_png(shown, title, summary, output)
        else:
            count = page.page_count(shown)
            paths = [output, *(output.with_stem(f"{output.stem}-{n}") for n in range(2, count + 1))]
            written = page.pages(shown, title, summary, [path.name for path in paths])
            for path, text in zip(paths, written, strict=True):
                path.write_text(text, "utf-8")
    click.echo(f"{len(shown):,} files on {short_path(output)}")
