"""`presswork catalogue`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.catalogue.apply import apply
from deploy.commands.catalogue.check import check
from deploy.commands.catalogue.files import files
from deploy.commands.catalogue.history import history
from deploy.commands.catalogue.list import list_
from deploy.commands.catalogue.manifest import manifest
from deploy.commands.catalogue.plan import plan
from deploy.commands.catalogue.retire import retire
from deploy.commands.catalogue.rollback import rollback
from deploy.commands.catalogue.schedule import schedule
from deploy.commands.catalogue.schema import schema
from deploy.commands.catalogue.ticks import ticks


@click.group()
def catalogue() -> None:
    """Keep the pictures of a catalogue in order.

    A catalogue is a file, such as catalogue.yaml: its feed, what is drawn for each row, and when a person is asked.
    """


for command in (check, plan, apply, list_, history, rollback, retire, manifest, files, schedule, ticks, schema):
    catalogue.add_command(command)
