"""`presswork audit check`: checks an inclusion proof offline."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.ledger import vkeys_in
from policy.ledger.tree import proofs


@click.command(
    epilog=exit_status("proven", "not proven; the reason is named", "the keys could not be read, or wrong usage")
)
@click.argument("proof", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("body", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--vkeys",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="PRESSWORK_LEDGER_VKEYS",
    show_envvar=True,
    required=True,
    help="File with the public keys of the ledger.",
)
def check(proof: Path, body: Path, vkeys: Path) -> None:
    """Check the inclusion proof of an event, offline.

    PROOF and BODY are the files that `presswork audit prove` wrote. Only the public keys are needed: no database and no
    network.
    """
    keys = vkeys_in(vkeys)
    parsed = proofs.InclusionProof.parse(proof.read_text(errors="replace"))
    head = proofs.check(parsed, body.read_bytes(), keys)
    click.echo(f"proven: leaf {parsed.index} of the {head.size} leaves that {head.origin} signed")
