"""`presswork policy hash`: lines of a hash list for images."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.policy.options import FILES, open_image


@click.command("hash")
@FILES
@click.option("--category", metavar="CATEGORY", required=True, help="One lower-case word. Rules use it as the score.")
@click.option(
    "--note", metavar="TEXT", default="", show_default="the file's name", help="Note for people, kept in the list."
)
def hash_images(files: tuple[Path, ...], category: str, note: str) -> None:
    """Print the lines of a hash list for image FILES.

    docs/policy.md says how a rule set names a hash list and its digest.
    """
    from policy.images.hash_list import line  # noqa: PLC0415 - loads OpenCV

    for file in files:
        try:
            click.echo(line(open_image(file), category, note or file.name))
        except ValueError as wrong:
            raise click.ClickException(f"{file}: {wrong}") from wrong
