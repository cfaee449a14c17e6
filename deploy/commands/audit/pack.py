"""`presswork audit pack`: an evidence pack that anyone can check offline."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.instants import InstantType, refuse_empty_span
from deploy.commands.shared.ledger import auditor_settings, open_ledger, vkeys_of, witnesses_of
from deploy.commands.shared.options import data_option
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection


@click.command(
    epilog=exit_status(
        "the pack is written and verifies",
        "the pack could not be written, or it does not verify",
        "the ledger or its keys could not be read, or wrong usage",
    )
)
@click.option("--asset", metavar="ID", help="Events of this asset or item, its request and its batches.")
@click.option("--request", "--campaign", metavar="ID", help="Events of this request, its items and their batches.")
@click.option("--from", "since", metavar="INSTANT", type=InstantType(), help="Events at this instant or later.")
@click.option("--to", "until", metavar="INSTANT", type=InstantType(), help="Events before this instant.")
@click.option(
    "--checkpoint",
    "sizes",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="LEAVES",
    help="Include the checkpoint of this size, which the auditor kept. Repeatable.",
)
@click.option("--without-private", is_flag=True, help="Leave out private text. Its digests stay.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="ZIP file to write.",
)
@data_option
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
    """Write an evidence pack that anyone can check offline.

    Without a selection, the pack holds the whole ledger. It contains verify.py, which checks it without our code and
    without a network. The command verifies the written pack. An INSTANT is a day (UTC), or a date and time with its
    zone.
    """
    if sum(map(bool, (asset, request, since or until))) > 1:
        raise click.UsageError("give only one of --asset, --request and --from/--to")
    refuse_empty_span(since, until, "--from", "--to")
    selection = Selection(asset, request, since=since, until=until)
    settings = auditor_settings(data)
    vkeys, policy = vkeys_of(settings), witnesses_of(settings)
    with open_ledger(settings) as conn, writing(output):
        packed = write_pack(conn, output, selection, vkeys=vkeys, sizes=sizes, witnesses=policy,
                            with_private=not without_private)  # fmt: skip
    found = offline_verifier.verify(output, [vkey.line for vkey in vkeys], witnesses=policy.text if policy else None)
    for problem in found.problems:
        click.secho(f"PROBLEM: {problem}", fg="red")
    events = "1 event" if packed.events == 1 else f"{packed.events:,} events"
    click.echo(f"wrote {output}: {events} under the checkpoint of {packed.size:,} leaves")
    click.echo(f"sha256 {packed.sha256}")
    if found.problems:
        raise click.exceptions.Exit(1)
