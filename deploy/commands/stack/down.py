"""`presswork down`: stops the embedded stack."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option
from deploy.commands.stack.up import print_phase
from deploy.embedded import background


@click.command(epilog=exit_status("everything has stopped", "no stack is running, or it did not stop in time"))
@data_option
def down(data: Path) -> None:
    """Stop the embedded stack and keep its data.

    The worker finishes or returns its batch first.
    """
    background.stop(data, report=print_phase)
    print_phase("stopped")
