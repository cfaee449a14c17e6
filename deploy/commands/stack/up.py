"""`presswork up`: starts the embedded stack."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import short_path
from deploy.commands.shared.options import data_option, given_data
from deploy.commands.shared.stack import api_url
from deploy.embedded import background
from deploy.embedded.passwords import api_key_file
from deploy.embedded.state import State
from deploy.errors import AlreadyRunning
from deploy.extras import require


@click.command(epilog=exit_status("everything is running", "a component did not start; standard error says why"))
@click.option("--foreground", is_flag=True, help="Stay in this terminal. Ctrl-C stops everything.")
@data_option
def up(data: Path, foreground: bool) -> None:
    """Start the embedded stack: services and application.

    Starts Postgres, Valkey, SeaweedFS, the API, planner, sealer, clerk, identify and worker on this machine, and prints
    where they are. A supervisor in the background restarts what stops. If the stack is running already, the command
    only prints where it is.
    """
    require("worker", "embedded")
    if foreground:
        if background.running(data) is not None:
            raise AlreadyRunning(f"a stack is already running on {data}. Remedy: `presswork down` stops it")
        # Another program, so that the processes that it forks inherit nothing of this one.
        os.execv(sys.executable, [sys.executable, "-m", "deploy.embedded", str(data.absolute())])  # noqa: S606
    started = time.monotonic()
    state = background.start(data, report=print_phase)
    print_phase(f"ready after {time.monotonic() - started:.1f} s")
    click.echo(_places(data, state))


def print_phase(phase: str) -> None:
    """One line of progress."""
    click.echo(f"presswork: {phase}")


def _places(data: Path, state: State) -> str:
    url = api_url(state)
    return (
        f"  API      {url}   (documentation: {url}/docs)\n"
        f"  API key  in {short_path(api_key_file(data))}\n"
        f"  logs     {short_path(data / 'log')}\n"
        f"  status   presswork status{given_data(data)}\n"
        f"  stop     presswork down{given_data(data)}"
    )
