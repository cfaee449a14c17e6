"""`presswork up`, `down`, `status`, `env`, `migrate`: the embedded stack by hand."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deploy.commands.shared.options import data_option, shown
from deploy.embedded import background
from deploy.embedded.children import is_same_process
from deploy.embedded.environment import ROLES, settings_of
from deploy.embedded.first_start import api_key_file
from deploy.embedded.stack import Stack
from deploy.embedded.state import Part, PartState, State
from deploy.embedded.supervisor import Supervisor
from deploy.errors import NotRunning

_STYLE = {PartState.READY: "green", PartState.STARTING: "yellow", PartState.WAITING: "red"}


@click.command()
@data_option
@click.option("--foreground", is_flag=True, help="Stay in this terminal; ^C stops everything.")
def up(data: Path, foreground: bool) -> None:
    """Start Postgres, Valkey, SeaweedFS, the API, planner, sealer and worker."""
    if foreground:
        Supervisor(data).run()
        return
    started = time.monotonic()
    state = background.start(data, tell=_say)
    _say(f"ready after {time.monotonic() - started:.1f} s")
    click.echo(where(data, state))


@click.command()
@data_option
def down(data: Path) -> None:
    """Stop everything; the data stays. A batch in work is finished or given back first."""
    background.stop(data, tell=_say)
    _say("stopped")


@click.command()
@data_option
def status(data: Path) -> None:
    """Show what runs, where, since when, and how often it had to be started again."""
    state = _running(data)
    table = Table("part", "state", "pid", "up", "restarts", "address", box=None, header_style="bold")
    for part in state.parts:
        word = _state_now(part)
        style = _STYLE.get(PartState(word), "white")
        table.add_row(part.name, f"[{style}]{word}[/]", str(part.pid), _age(part), str(part.restarts), part.address)
    Console().print(table)
    click.echo(f"\n{state.phase}; data in {shown(data)}, logs in {shown(data / 'log')}")


@click.command()
@data_option
@click.option("--role", type=click.Choice(ROLES), default="auditor", show_default=True, help="Whose settings.")
def env(data: Path, role: str) -> None:
    """Print a role's settings as shell exports: eval "$(presswork env --role auditor)".

    The output holds that role's passwords.
    """
    for name, value in settings_of(attached(data), role).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@click.command()
@click.argument("url", envvar="PRESSWORK_DATABASE_URL")
def migrate(url: str) -> None:
    """Bring the database at URL (postgresql+psycopg://..., the owner's login) to the newest revision."""
    from migrations.upgrade import upgrade  # noqa: PLC0415 - alembic only when it migrates

    upgrade(url)
    _say("the database is at the newest revision")


def attached(data: Path) -> Stack:
    """The running stack's addresses and passwords, without starting or locking anything. Raises NotRunning."""
    return Stack.attached(data, _running(data).ports)


def where(data: Path, state: State) -> str:
    """Where a person finds things."""
    api = f"http://127.0.0.1:{state.ports['api']}"
    return (
        f"  API         {api}   (docs: {api}/docs)\n"
        f"  API key     in {shown(api_key_file(data))}\n"
        f"  logs        {shown(data / 'log')}\n"
        f"  stop        presswork down"
    )


def _running(data: Path) -> State:
    state = background.running(data)
    if state is None:
        raise NotRunning(f"nothing runs on {shown(data)}. Remedy: `presswork up` starts it, or name another --data")
    return state


def _state_now(part: Part) -> str:
    return part.state if is_same_process(part.pid, part.started) else str(PartState.WAITING)


def _age(part: Part) -> str:
    seconds = max(0, int(time.time() - part.started))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _say(text: str) -> None:
    click.echo(f"presswork: {text}")
