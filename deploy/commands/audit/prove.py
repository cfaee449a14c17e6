"""`presswork audit prove`: writes an event and its inclusion proof."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option
from policy.ledger.tree import proofs


@click.command(
    epilog=exit_status(
        "both files are written",
        "the event is unknown or not sealed, or a file could not be written",
        "the ledger could not be read, or wrong usage",
    )
)
@click.argument("event_id", type=click.UUID, required=False)
@click.option("--asset", metavar="ID", type=click.UUID, help="Prove the release of this asset instead of an event.")
@click.option(
    "--to",
    metavar="DIRECTORY",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default="current folder",
    help="Folder for the two files.",
)
@click.option(
    "--size", metavar="LEAVES", type=click.IntRange(min=1), help="Size of the checkpoint. Without it: the newest."
)
@data_option
def prove(event_id: UUID | None, data: Path, asset: UUID | None, to: Path, size: int | None) -> None:
    """Write an event and the proof that the ledger has it.

    Writes EVENT_ID.json, the exact bytes of the event, and EVENT_ID.tlog-proof, its inclusion proof. `presswork audit
    check` checks them offline.
    """
    if (event_id is None) == (asset is None):
        raise click.UsageError("give either an EVENT_ID or --asset")
    with open_ledger(auditor_settings(data)) as conn:
        if asset is not None:
            found = proofs.proven_asset(conn, str(asset), size=size)
        else:
            found = proofs.proven_event(conn, str(event_id), size=size)
    files = to / f"{found.event_id}.json", to / f"{found.event_id}.tlog-proof"
    with writing(to):
        to.mkdir(parents=True, exist_ok=True)
        files[0].write_bytes(found.body)
        files[1].write_text(str(found.proof))
    click.echo(f"wrote {files[0]} and {files[1]}: leaf {found.proof.index} of {found.size}")
