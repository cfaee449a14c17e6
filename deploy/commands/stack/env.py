"""`presswork env`: a role's settings in the embedded stack."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from deploy.commands.shared.options import data_option
from deploy.commands.shared.stack import attached
from deploy.embedded.environment import ROLES, settings_of


@click.command()
@click.option(
    "--role", type=click.Choice(ROLES), default="auditor", show_default=True, help="Role whose settings are printed."
)
@data_option
def env(data: Path, role: str) -> None:
    """Print the settings of a role as shell exports.

    \b
      eval "$(presswork env --role auditor)"

    The output contains the passwords of that role.
    """
    for name, value in settings_of(attached(data), role).items():
        click.echo(f"export {name}={shlex.quote(value)}")
