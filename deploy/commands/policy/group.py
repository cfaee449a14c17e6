"""`presswork policy`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.policy.check import check
from deploy.commands.policy.check_image import check_image
from deploy.commands.policy.hash import hash_images
from deploy.commands.policy.report import report
from deploy.commands.policy.show import show
from deploy.commands.policy.simulate import simulate


@click.group()
def policy() -> None:
    """Inspect and test rule sets.

    Nothing is generated and nothing is stored.
    """


for command in (check, check_image, show, report, simulate, hash_images):
    policy.add_command(command)
