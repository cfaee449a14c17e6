"""`presswork catalogue check`: every error of a catalogue file, with its line and what to do."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.catalogue.file import read_file
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("the file is in order", "it has errors; each is printed with its line"))
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option("Print one JSON object per error.")
@click.pass_context
def check(ctx: click.Context, file: Path, *, as_json: bool) -> None:
    """Explain every error of a catalogue file.

    Nothing is asked of an installation: whether it has the model, the plan says.
    """
    found = read_file(file)
    if not isinstance(found, list):
        if not as_json:
            click.echo(f"{file} is in order: catalogue {found.body.name}, rows by {' and '.join(found.body.keys)}")
        return
    for error in found:
        said = {"line": error.line, "path": error.path, "message": error.message, "remedy": error.remedy}
        click.echo(as_line(said) if as_json else f"{file}, {error}", err=not as_json)
    ctx.exit(1)
