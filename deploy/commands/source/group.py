"""`presswork source`: buckets of one's own that inputs and feeds are read from."""

from __future__ import annotations

import click

from deploy.commands.source.add import add
from deploy.commands.source.list import list_
from deploy.commands.source.remove import remove


@click.group()
def source() -> None:
    """Register buckets that inputs and feeds are read from.

    From then on s3://BUCKET/PATH is an address of an input, of a catalogue's feed, and of its pictures.
    """


for command in (add, list_, remove):
    source.add_command(command)
