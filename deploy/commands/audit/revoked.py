"""`presswork audit revoked`: checks files against a revocation list, offline."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click

from deploy.commands.audit.revocations import description
from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.options import json_option
from policy.errors import LedgerError
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.tree.revocations import RevocationList, open_list

_MAX_LIST_BYTES = 512 * 1024 * 1024  # about five million files
_CHUNK = 1024 * 1024
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog=exit_status(
        "nothing is on the list",
        "at least one file or asset is on the list",
        "the list is altered, too old or signed by an unknown key, or wrong usage",
    )
)
@click.argument("files", nargs=-1, type=_EXISTING)
@click.option("--list", "list_file", metavar="FILE", required=True, type=_EXISTING, help="Revocation list.")
@click.option(
    "--vkeys",
    metavar="FILE",
    type=_EXISTING,
    envvar="PRESSWORK_LEDGER_VKEYS",
    show_envvar=True,
    required=True,
    help="File with the public keys of the ledger.",
)
@click.option("--asset", "assets", metavar="ID", multiple=True, type=click.UUID, help="Asset to check. Repeatable.")
@click.option(
    "--at-least",
    metavar="SEQUENCE",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Reject a list with a lower sequence number.",
)
@json_option("Print one JSON object per file or asset.")
def revoked(
    files: tuple[Path, ...], list_file: Path, *, vkeys: Path, assets: tuple[object, ...], at_least: int, as_json: bool
) -> None:
    """Check whether files or assets were recalled, offline.

    Needs only the revocation list and the public keys: no database and no network. FILES are compared by their SHA-256.
    A file that was resized or saved again has another digest, so no list can name it.
    """
    if not files and not assets:
        raise click.UsageError("give FILES or --asset")
    found = _open(list_file, vkeys, at_least)
    asked = [(str(file), found.asset_of(_sha256(file))) for file in files]
    asked += [(f"asset {asset}", str(asset) if found.names(str(asset)) else None) for asset in assets]
    for name, asset_id in asked:
        if as_json:
            facts = {"name": name, "revoked": asset_id is not None, "asset_id": asset_id}
            click.echo(json.dumps({**facts, "sequence": found.sequence}))
        else:
            click.echo(f"{name}: " + (f"REVOKED, recalled asset {asset_id}" if asset_id else "not on the list"))
    if not as_json:
        click.echo(description(found))
    if any(asset_id for _, asset_id in asked):
        raise click.exceptions.Exit(1)


def _open(list_file: Path, vkeys: Path, at_least: int) -> RevocationList:
    if list_file.stat().st_size > _MAX_LIST_BYTES:
        raise Undetermined(f"{list_file} is larger than {_MAX_LIST_BYTES:,} bytes, the limit of a revocation list")
    try:
        content = list_file.read_text("utf-8")
        return open_list(content, load_vkeys(vkeys), at_least=at_least)
    except UnicodeDecodeError as error:
        raise Undetermined(f"{list_file} is not a revocation list: byte {error.start} is not UTF-8") from error
    except LedgerError as error:
        raise Undetermined(f"{list_file}: {error}") from error


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
