"""Documents of contact sheets: HTML pages, a PDF or a PNG, by the ending of the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from deploy.sheet import drawing, page
from deploy.sheet.tiles import Tile

ENDINGS = (".html", ".pdf", ".png")


def demand_ending(output: Path) -> None:
    """Raises UsageError for a file whose name does not say what it is."""
    if output.suffix.lower() not in ENDINGS:
        raise click.UsageError(f"{output} does not say what to write. End it in {', '.join(ENDINGS)}")


def write_sheet(shown: Sequence[Tile], title: str, summary: str, output: Path) -> None:
    """Write the sheet; HTML goes on in further files beside the first."""
    match output.suffix.lower():
        case ".pdf":
            drawing.write_pdf(shown, title, summary, output)
        case ".png":
            drawing.write_png(shown, title, summary, output)
        case _:
            paths = [output, *(output.with_stem(f"{output.stem}-{n}") for n in range(2, page.page_count(shown) + 1))]
            written = page.pages(shown, title, summary, [path.name for path in paths])
            for path, text in zip(paths, written, strict=True):
                path.write_text(text, "utf-8")
