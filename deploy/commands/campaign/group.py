"""`presswork campaign`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.campaign.cancel import cancel
from deploy.commands.campaign.change import change
from deploy.commands.campaign.channels import channels
from deploy.commands.campaign.check import check
from deploy.commands.campaign.fetch import fetch
from deploy.commands.campaign.items import items
from deploy.commands.campaign.list import list_
from deploy.commands.campaign.pilot import accept, pilot, reject
from deploy.commands.campaign.retry import retry
from deploy.commands.campaign.sheet import sheet
from deploy.commands.campaign.show import show
from deploy.commands.campaign.submit import submit
from deploy.commands.campaign.watch import watch


@click.group()
def campaign() -> None:
    """Check, submit, watch and fetch campaigns.

    A campaign is a spreadsheet and a prompt template: one image per row and variant.
    """


for command in (
    check,
    submit,
    watch,
    list_,
    show,
    items,
    cancel,
    change,
    retry,
    channels,
    fetch,
    sheet,
    pilot,
    accept,
    reject,
):
    campaign.add_command(command)
