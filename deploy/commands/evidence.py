"""`presswork audit consistency` and `pack`: evidence for somebody who has neither our database nor our code."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.ledger import auditor_settings, open_ledger, vkeys_of
from deploy.commands.options import data_option
from policy.ledger.proofs import prove_extension


@click.command()
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1))
@data_option
def consistency(old: int, new: int, data: Path) -> None:
    """Prove that the checkpoint of NEW leaves extends that of OLD leaves, for whoever kept the old one.

    Prints "old OLD", the hashes and the new checkpoint: what c2sp.org/tlog-witness sends to a witness.
    """
    settings = auditor_settings(data)
    with open_ledger(settings) as conn:
        proof = prove_extension(conn, old, new, vkeys_of(settings))
    click.echo(str(proof), nl=False)
