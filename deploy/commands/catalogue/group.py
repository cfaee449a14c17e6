"""`presswork catalogue`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.catalogue.check import check
from deploy.commands.catalogue.schema import schema


@click.group()
def catalogue() -> None:
    """Keep the pictures of a catalogue in order.

    A catalogue is a file, such as catalogue.yaml: its feed, what is drawn for each row, and when a person is asked.
    """


for command in (check, schema):
    catalogue.add_command(command)
