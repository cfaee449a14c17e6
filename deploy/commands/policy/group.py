"""`presswork policy`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.policy.approve import approve
from deploy.commands.policy.check import check
from deploy.commands.policy.check_image import check_image
from deploy.commands.policy.hash import hash_images
from deploy.commands.policy.report import report
from deploy.commands.policy.show import show
from deploy.commands.policy.simulate import simulate


@click.group()
def policy() -> None:
    """Inspect, test and approve rule sets.

    Nothing is generated. Only an approval is stored.
    """


for command in (approve, check, check_image, show, report, simulate, hash_images):
    policy.add_command(command)
