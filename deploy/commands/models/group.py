"""`presswork models`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.models.add import add
from deploy.commands.models.check import check
from deploy.commands.models.hash import hash_folder
from deploy.commands.models.list import list_models
from deploy.commands.models.show import show


@click.group()
def models() -> None:
    """Add, list, show and check models."""


for command in (add, list_models, show, check, hash_folder):
    models.add_command(command)
