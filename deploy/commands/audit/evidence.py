"""`presswork audit consistency` and `pack`: evidence for somebody who has neither our database nor our code."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from deploy.commands.shared.instants import Instant
from deploy.commands.shared.opening import auditor_settings, open_ledger, vkeys_of, witnesses_of
from deploy.commands.shared.options import data_option, writing
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.tree.proofs import prove_extension


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


@click.command()
@data_option
@click.option("--asset", metavar="ID", help="The whole line of this asset or item.")
@click.option("--request", "--campaign", metavar="ID", help="This request with its items and their batches.")
@click.option("--from", "since", type=Instant(), help="Everything from this day (UTC) or moment on.")
@click.option("--to", "until", type=Instant(), help="Everything before this day or moment.")
@click.option("--checkpoint", "sizes", multiple=True, type=click.IntRange(min=1), metavar="SIZE",
              help="Include the checkpoint of this size, which the auditor kept.")  # fmt: skip
@click.option("--without-private", is_flag=True, help="Leave prompts out; their digests stay.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The ZIP to write."
)
def pack(
    *,
    data: Path,
    asset: str | None,
    request: str | None,
    since: datetime | None,
    until: datetime | None,
    sizes: tuple[int, ...],
    without_private: bool,
    output: Path,
) -> None:
    """Write an evidence pack that anyone can check offline; without a selection, of the whole log.

    Exit 0: written and checked. Exit 1: it cannot be made, or what was written does not prove itself.
    """
    if sum(map(bool, (asset, request, since or until))) > 1:
        raise click.UsageError("one of --asset, --request and --from/--to")
    if since and until and since >= until:
        raise click.UsageError("--to is not after --from")
    selection = Selection(asset, request, since=since, until=until)
    settings = auditor_settings(data)
    vkeys, policy = vkeys_of(settings), witnesses_of(settings)
    with open_ledger(settings) as conn, writing(output):
        packed = write_pack(conn, output, selection, vkeys=vkeys, sizes=sizes, witnesses=policy,
                            with_private=not without_private)  # fmt: skip
    found = offline_verifier.verify(output, [vkey.line for vkey in vkeys], witnesses=policy.text if policy else None)
    for problem in found.problems:
        click.secho(f"WRONG: {problem}", fg="red")
    events = "1 event" if packed.events == 1 else f"{packed.events:,} events"
    click.echo(f"wrote {output}: {events} under the checkpoint of {packed.size:,} leaves")
    click.echo(f"sha256 {packed.sha256}")
    if found.problems:
        raise click.exceptions.Exit(1)
