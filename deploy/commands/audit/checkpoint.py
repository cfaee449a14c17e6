"""`presswork audit checkpoint`: a signed tree head of the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.ledger import auditor_settings, open_ledger, vkeys_of
from deploy.commands.shared.options import data_option
from policy.ledger.tree import proofs
from policy.ledger.tree.notes import open_checkpoint


@click.command(
    epilog=exit_status(
        "the checkpoint is printed and its signature is valid",
        "there is no such checkpoint, or its signature is not valid",
        "the ledger or its keys could not be read, or wrong usage",
    )
)
@click.option("--size", metavar="LEAVES", type=click.IntRange(min=1), help="Number of leaves. Without it: the newest.")
@data_option
def checkpoint(data: Path, size: int | None) -> None:
    """Print a checkpoint: a signed head of the Merkle tree.

    It is a C2SP signed note with the cosignatures of the witnesses. Keep it to prove later that nothing was cut off.
    """
    settings = auditor_settings(data)
    with open_ledger(settings) as conn:
        note = proofs.head(conn, size)
    open_checkpoint(note, vkeys_of(settings))
    click.echo(note, nl=False)
