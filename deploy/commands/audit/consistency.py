"""`presswork audit consistency`: proof that one checkpoint extends another."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.ledger import auditor_settings, open_ledger, vkeys_of
from deploy.commands.shared.options import data_option
from policy.ledger.tree.proofs import prove_extension


@click.command(
    epilog=exit_status(
        "the proof is printed", "there is no such proof", "the ledger or its keys could not be read, or wrong usage"
    )
)
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1))
@data_option
def consistency(old: int, new: int, data: Path) -> None:
    """Prove that the checkpoint of NEW leaves extends that of OLD.

    Prints "old OLD", the hashes and the new checkpoint, in the format that c2sp.org/tlog-witness sends to a witness.
    It is for anyone who kept the old checkpoint.
    """
    settings = auditor_settings(data)
    with open_ledger(settings) as conn:
        proof = prove_extension(conn, old, new, vkeys_of(settings))
    click.echo(str(proof), nl=False)
