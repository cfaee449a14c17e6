"""`presswork backup` and `presswork restore`: a dump of the database with its manifest, and its return."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.exc import ArgumentError

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option

_FOLDER = click.Path(file_okay=False, path_type=Path)


def _admin_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--admin-url",
        metavar="URL",
        envvar="PRESSWORK_ADMIN_URL",
        show_envvar=True,
        help="URL of the database with an administrator's login. Unset: the embedded stack's.",
    )(function)


@click.command(epilog=exit_status("the folder holds a backup", "it holds none; standard error says why"))
@click.argument("folder", type=_FOLDER)
@_admin_option
@data_option
def backup(folder: Path, admin_url: str | None, data: Path) -> None:
    """Dump the database, while everything runs.

    FOLDER gets the dump and its manifest, both of one snapshot. The manifest names the digest of the dump, the head
    of the ledger and the number of rows. Back up the buckets and the key of the ledger as well: docs/storage.md.
    """
    from deploy.backup.take import take  # noqa: PLC0415 - --help is quick

    try:
        made = take(admin_url or _embedded(data), folder)
    except ArgumentError as error:
        raise _no_url() from error
    click.echo(
        f"presswork: {folder} holds {made.bytes:,} bytes of {made.taken_at}, {made.contents.rows['items']:,} items and"
        f" {made.contents.size:,} sealed events"
    )


@click.command(
    epilog=exit_status("the database holds the backup", "it does not; a repeat goes on; standard error says why")
)
@click.argument("folder", type=_FOLDER)
@click.option("--by", metavar="PERSON", required=True, help="Who restores. It stands in the ledger.")
@click.option("--reason", metavar="TEXT", required=True, help="Why. It stands in the ledger as private text.")
@_admin_option
@data_option
def restore(folder: Path, by: str, reason: str, admin_url: str | None, data: Path) -> None:
    """Restore a backup into an empty database.

    Everything or nothing is restored, compared with the manifest, and recorded as an event. Stop all processes
    before and make the roles and the database with `presswork provision`. docs/storage.md has the whole procedure.
    """
    from deploy.backup.restore import restore as put_back  # noqa: PLC0415

    try:
        made = put_back(admin_url or _embedded(data), folder, by=by, reason=reason)
    except ArgumentError as error:
        raise _no_url() from error
    click.echo(f"presswork: the database is as it was on {made.taken_at}: {made.contents.size:,} sealed events")
    click.echo("presswork: next: presswork migrate, then start the sealer alone and read whether it seals")


def _embedded(data: Path) -> str:
    from deploy.commands.shared.settings import names_an_installation  # noqa: PLC0415
    from deploy.commands.shared.stack import attached  # noqa: PLC0415 - an installation may lack the embedded extra
    from deploy.extras import require  # noqa: PLC0415

    if names_an_installation():
        raise click.UsageError(
            "PRESSWORK_DATABASE_URL names an installation: give --admin-url with its administrator's login, or --data"
        )
    require("embedded")
    return attached(data).postgres.url("superuser")


def _no_url() -> click.BadParameter:
    return click.BadParameter(
        "not a URL such as postgresql+psycopg://admin:...@host/presswork", param_hint="--admin-url"
    )
