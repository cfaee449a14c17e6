"""`presswork models`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.models.add import add
from deploy.commands.models.show import check, hash_folder, list_models, show


@click.group()
def models() -> None:
    """Add, list, show and check models."""


for command in (add, list_models, show, check, hash_folder):
    models.add_command(command)
