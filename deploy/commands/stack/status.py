"""`presswork status`: components of the embedded stack."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import short_path
from deploy.commands.shared.options import data_option
from deploy.embedded.background import require_running
from deploy.embedded.children import is_same_process
from deploy.embedded.state import Component, ComponentState

_STYLES = {ComponentState.READY: "green", ComponentState.STARTING: "yellow", ComponentState.WAITING: "red"}


@click.command(epilog=exit_status("a stack is running, whatever the state of its components", "no stack is running"))
@data_option
def status(data: Path) -> None:
    """Show the components of the embedded stack.

    Prints state, process id, uptime, number of restarts and address of each. `starting`: the process runs and does not
    answer yet. `waiting`: the process ended, and the supervisor restarts it after a pause.
    """
    state = require_running(data)
    table = Table("component", "state", "pid", "uptime", "restarts", "address", box=None, header_style="bold")
    for component in state.components:
        word = _state_now(component)
        style = _STYLES.get(ComponentState(word), "white")
        pid, restarts = str(component.pid), str(component.restarts)
        table.add_row(component.name, f"[{style}]{word}[/]", pid, _uptime(component), restarts, component.address)
    Console().print(table)
    click.echo(f"\n{state.phase}; data in {short_path(data)}, logs in {short_path(data / 'log')}")


def _state_now(component: Component) -> str:
    alive = is_same_process(component.pid, component.started)
    return component.state if alive else str(ComponentState.WAITING)


def _uptime(component: Component) -> str:
    seconds = max(0, int(time.time() - component.started))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
