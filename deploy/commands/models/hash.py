"""`presswork models hash`: the lines of a card that name its files."""

from __future__ import annotations

from pathlib import Path

import click

from workers.sampling.cards.contents import file_of, paths_in, revision_of


@click.command("hash")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def hash_folder(folder: Path) -> None:
    """Print the `revision` and `files` lines of a card.

    Computes them from the model in FOLDER. Put them into its card.yaml.
    """
    files = [file_of(folder, path) for path in paths_in(folder)]
    click.echo(f"revision: {revision_of(files)}\nfiles:")
    for file in files:
        click.echo(f"  - {{path: {file.path}, bytes: {file.bytes}, sha256: {file.sha256}}}")
