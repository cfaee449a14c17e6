"""`presswork workers`: who lives, who takes nothing and why, which devices are out of use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option, json_option
from deploy.commands.shared.settings import installation_settings
from deploy.commands.shared.tables import print_rows
from workers.database import make_engine
from workers.jobs.fleet import members as fleet

_COLUMNS = ("name", "queues", "threads", "device", "device_class", "stopped", "seen_seconds_ago")


@click.group()
def workers() -> None:
    """List workers, and put devices back into use.

    A worker that was not seen for 45 seconds is gone and not listed. docs/operations.md explains the reasons.
    """


@workers.command("list")
@json_option("Print one JSON object per worker.")
@data_option
def list_workers(data: Path, *, as_json: bool) -> None:
    """List the live workers, and why one takes nothing."""
    with _database(data) as conn:
        live, out = fleet.live(conn), fleet.devices_out(conn)
    rows = (
        {**worker._asdict(), "queues": list(worker.queues), "seen_seconds_ago": round(worker.seconds, 1)}
        for worker in live
    )
    print_rows(rows, _COLUMNS, as_json=as_json)
    for device in out:
        click.echo(f"out of use: {device} (after a look at it: presswork workers readmit {device})", err=True)


@workers.command(epilog=exit_status("the device is used again", "the device was not out of use"))
@click.argument("device")
@data_option
def readmit(data: Path, device: str) -> None:
    """Use a device again that was taken out of use.

    DEVICE is its name in `presswork workers list`. Its worker takes batches again within seconds.
    """
    with _database(data) as conn:
        done = fleet.readmit(conn, device)
        out = fleet.devices_out(conn)
    if not done:
        raise click.ClickException(f"{device} is not out of use; out of use: {', '.join(out) or 'none'}")
    click.echo(f"presswork: {device} is used again")


@contextmanager
def _database(data: Path) -> Iterator[Connection]:
    engine = make_engine(installation_settings(data, "worker").database_url.get_secret_value(), name="workers-command")
    try:
        with engine.begin() as conn:
            yield conn
    except SQLAlchemyError as error:
        raise click.ClickException(f"the database did not answer: {getattr(error, 'orig', error)}") from error
    finally:
        engine.dispose()
