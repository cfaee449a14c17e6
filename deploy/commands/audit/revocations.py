"""`presswork audit revocations`: the newest signed list of recalled files, compared with the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import click

from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.ledger import auditor_settings, open_ledger, vkeys_of
from deploy.commands.shared.options import data_option, json_option
from policy.errors import UnknownKey
from policy.ledger.tree.revocations import RevocationList, lines_of, open_list
from workers.revocation_lists import RevocationLists
from workers.store import ObjectStore


@click.command(
    epilog=exit_status(
        "the list is signed and names exactly what the ledger recalled",
        "the list is altered or differs from the ledger",
        "there is no list, its key is unknown, the ledger could not be read, or wrong usage",
    )
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="File for the list."
)
@json_option("Print the facts about the list as one JSON object.")
@data_option
def revocations(data: Path, output: Path | None, as_json: bool) -> None:
    """Fetch the newest revocation list and check it.

    A revocation list names the files of recalled assets. The command checks its signature and compares it with what the
    ledger recalled up to the checkpoint of the list.
    """
    settings = auditor_settings(data)
    vkeys = vkeys_of(settings)
    with open_ledger(settings) as conn:
        content = RevocationLists(ObjectStore(settings), settings.ledger_origin).newest()
        if content is None:
            raise Undetermined("no revocation list was issued yet: nothing is sealed, or no sealer is running")
        try:
            found = open_list(content, vkeys)
        except UnknownKey as error:
            raise Undetermined(f"the newest list: {error}") from error
        same = tuple(lines_of(conn, found.checkpoint)) == found.lines
    if output:
        with writing(output):
            output.write_text(content, newline="")
    if as_json:
        click.echo(json.dumps({**_facts(found), "agrees_with_ledger": same}))
    else:
        click.echo(description(found) + (f"\nwritten to {output}" if output else ""))
        agrees = "names exactly what the ledger recalled" if same else "DIFFERS from what the ledger recalled"
        click.echo(f"the list {agrees} in its first {found.checkpoint:,} entries")
    if not same:
        raise click.exceptions.Exit(1)


def _facts(found: RevocationList) -> dict[str, object]:
    return {
        "origin": found.origin,
        "sequence": found.sequence,
        "issued_at": found.issued_at.isoformat(),
        "checkpoint": found.checkpoint,
        "files": len(found.lines),
    }


def description(found: RevocationList) -> str:
    """A list in one line."""
    return (
        f"list {found.sequence} of {found.origin}, issued {found.issued_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{len(found.lines):,} recalled files"
    )
