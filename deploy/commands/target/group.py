"""`presswork target`: buckets of one's own that released files are delivered to."""

from __future__ import annotations

import click

from deploy.commands.target.add import add
from deploy.commands.target.check import check
from deploy.commands.target.list import list_
from deploy.commands.target.remove import remove


@click.group()
def target() -> None:
    """Register buckets that released files are delivered to.

    A campaign names one with --deliver, and its files arrive there as they are released.
    """


for command in (add, list_, check, remove):
    target.add_command(command)
