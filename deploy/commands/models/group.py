"""`presswork models`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.models.add import add
from deploy.commands.models.approve import approve
from deploy.commands.models.audit import audit
from deploy.commands.models.check import check
from deploy.commands.models.hash import hash_folder
from deploy.commands.models.list import list_models
from deploy.commands.models.retire import retire
from deploy.commands.models.show import show


@click.group()
def models() -> None:
    """Add, approve, retire, audit and show models."""


for command in (add, approve, retire, audit, list_models, show, check, hash_folder):
    models.add_command(command)
