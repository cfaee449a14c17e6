"""`presswork audit revocations` and `revoked`: the list of recalled files, and whether a file is on it, offline."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click
from sqlalchemy import Connection

from deploy.commands.shared.opening import CannotTell, auditor_settings, open_ledger, vkeys_of
from deploy.commands.shared.options import data_option
from policy.errors import LedgerError, UnknownKey
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.tree.revocations import RevocationList, lines_of, open_list
from workers.revocation_lists import Shelf
from workers.store import ObjectStore

_MAX_LIST_BYTES = 512 * 1024 * 1024  # about five million files
_CHUNK = 1024 * 1024


@click.command()
@data_option
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the list into this file.")
@click.option("--json", "as_json", is_flag=True, help="What it says of itself, as one JSON object.")
def revocations(data: Path, output: Path | None, as_json: bool) -> None:
    """Fetch the newest signed revocation list, check it, and hold it against the ledger.

    Exit 0: signed, and names exactly what the ledger recalled up to its checkpoint. Exit 1: it does not. Exit 2: could
    not be told.
    """
    settings = auditor_settings(data)
    vkeys = vkeys_of(settings)
    with open_ledger(settings) as conn:
        content = Shelf(ObjectStore(settings), settings.ledger_origin).newest()
        if content is None:
            raise CannotTell("no list was issued yet: nothing is sealed, or the sealer is away")
        try:
            found = open_list(content, vkeys)
        except UnknownKey as error:
            raise CannotTell(f"the newest list: {error}") from error
        same = _agrees(conn, found)
    if output:
        output.write_text(content, newline="")
    if as_json:
        click.echo(json.dumps({**_facts(found), "agrees_with_ledger": same}))
    else:
        click.echo(_told(found) + (f"\nwritten to {output}" if output else ""))
        agrees = "names exactly what the ledger recalled" if same else "DOES NOT AGREE with what the ledger recalled"
        click.echo(f"it {agrees} in its first {found.checkpoint:,} entries")
    if not same:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "list_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The revocation list.")  # fmt: skip
@click.option("--vkeys", type=click.Path(exists=True, dir_okay=False, path_type=Path), envvar="PRESSWORK_LEDGER_VKEYS",
              required=True, help="The public keys of the log.")  # fmt: skip
@click.option("--asset", "assets", multiple=True, type=click.UUID, help="Ask for an asset's id; repeatable.")
@click.option(
    "--at-least", type=click.IntRange(min=0), default=0, help="Refuse a list older than this sequence number."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file or asset.")
def revoked(
    files: tuple[Path, ...], list_file: Path, *, vkeys: Path, assets: tuple[object, ...], at_least: int, as_json: bool
) -> None:
    """Whether FILES were recalled, with nothing but the list and the public keys: no database, no network.

    Exit 0: none is on the list. Exit 1: one is, and is named. Exit 2: could not be told: the list is signed by an
    unknown key, was edited or cut, or is older than --at-least. A file that was resized or saved again has another
    digest and is not found by a list.
    """
    if not files and not assets:
        raise click.UsageError("name FILES or --asset")
    found = _open(list_file, vkeys, at_least)
    asked = [(str(file), found.asset_of(_sha256(file))) for file in files]
    asked += [(f"asset {asset}", str(asset) if found.names(str(asset)) else None) for asset in assets]
    for name, asset_id in asked:
        if as_json:
            said = {"name": name, "revoked": asset_id is not None, "asset_id": asset_id}
            click.echo(json.dumps({**said, "sequence": found.sequence}))
        else:
            click.echo(f"{name}: " + (f"REVOKED, recalled asset {asset_id}" if asset_id else "not on the list"))
    if not as_json:
        click.echo(_told(found))
    if any(asset_id for _, asset_id in asked):
        raise click.exceptions.Exit(1)


def _open(list_file: Path, vkeys: Path, at_least: int) -> RevocationList:
    if list_file.stat().st_size > _MAX_LIST_BYTES:
        raise CannotTell(f"{list_file} is larger than {_MAX_LIST_BYTES:,} bytes, which no list of ours is")
    try:
        content = list_file.read_text("utf-8")
        return open_list(content, load_vkeys(vkeys), at_least=at_least)
    except UnicodeDecodeError as error:
        raise CannotTell(f"{list_file} is no revocation list: byte {error.start} is not UTF-8") from error
    except LedgerError as error:
        raise CannotTell(f"{list_file}: {error}") from error


def _agrees(conn: Connection, found: RevocationList) -> bool:
    return tuple(lines_of(conn, found.checkpoint)) == found.lines


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _facts(found: RevocationList) -> dict[str, object]:
    return {
        "origin": found.origin,
        "sequence": found.sequence,
        "issued_at": found.issued_at.isoformat(),
        "checkpoint": found.checkpoint,
        "files": len(found.lines),
    }


def _told(found: RevocationList) -> str:
    return (
        f"list {found.sequence} of {found.origin}, issued {found.issued_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{len(found.lines):,} recalled files"
    )
