"""`presswork audit export`: events as a file, streamed, so that memory does not grow with the ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.instants import InstantType, refuse_empty_span
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, tenant_option
from policy.events import KINDS
from policy.ledger.reading.cloud_events import lines
from policy.ledger.reading.events import Recorded
from policy.ledger.reading.exports import csv_rows, jsonl
from policy.ledger.reading.parquet import parquet
from policy.ledger.reading.stream import EntryFilter, entries_in, leaves_from

_WRITERS: dict[str, Callable[[Iterable[list[Recorded]]], Iterator[bytes]]] = {
    "jsonl": jsonl,
    "csv": csv_rows,
    "parquet": parquet,
}
_CLOUD_EVENTS = "cloudevents"


@click.command(
    epilog=exit_status(
        "the file is written", "the file could not be written", "the ledger could not be read, or wrong usage"
    )
)
@click.option("--from", "since", metavar="INSTANT", type=InstantType(), help="Events at this instant or later.")
@click.option("--to", "until", metavar="INSTANT", type=InstantType(), help="Events before this instant.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(sorted(KINDS)), metavar="KIND",
              help="Only events of this kind, such as item.released. Repeatable.")  # fmt: skip
@click.option("--from-leaf", "leaf", type=click.IntRange(min=0), metavar="INDEX",
              help="Only sealed events from this leaf index on, in the order of leaves.")  # fmt: skip
@tenant_option("Only events of this tenant.")
@click.option("--format", "written", type=click.Choice([*_WRITERS, _CLOUD_EVENTS]), default="jsonl", show_default=True,
              help="Format of the file.")  # fmt: skip
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
              metavar="FILE", help="File to write, whole or not at all. -: standard output.")  # fmt: skip
@data_option
def export(
    *,
    since: datetime | None,
    until: datetime | None,
    kinds: tuple[str, ...],
    leaf: int | None,
    tenant: str | None,
    written: str,
    output: Path,
    data: Path,
) -> None:
    """Export events as JSON lines, CSV, Parquet or CloudEvents.

    Private text that was not erased is included. An INSTANT is a day (UTC), or a date and time with its zone. To go on
    where an export ended, give --from-leaf the highest leaf index of that file and one.
    """
    refuse_empty_span(since, until, "--from", "--to")
    if leaf is not None and (since or until):
        raise click.UsageError("--from-leaf is in order of leaves: give it without --from and --to")
    if written == "parquet" and output == Path("-") and sys.stdout.isatty():
        raise click.UsageError("Parquet is a binary format: give a file with -o, or write to a pipe")
    if output != Path("-") and output.exists() and not output.is_file():
        raise click.ClickException(
            f"{output} is not a regular file and would be replaced by one; -o - writes to a pipe"
        )
    settings = auditor_settings(data)
    write = _WRITERS.get(written) or partial(lines, source=settings.ledger_origin)
    with open_ledger(settings) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        if leaf is not None:
            pages = leaves_from(lambda: nullcontext(conn), leaf, tenant=tenant, kinds=kinds)
        else:
            pages = entries_in(lambda: nullcontext(conn), EntryFilter(since, until, tenant, kinds))
        if output == Path("-"):
            sys.stdout.buffer.writelines(write(pages))
            return
        count = _write(pages, output, write)
    click.echo(f"wrote {count:,} events to {output}")


def _write(
    pages: Iterator[list[Recorded]], output: Path, write: Callable[[Iterable[list[Recorded]]], Iterator[bytes]]
) -> int:
    """Write beside the file and rename when it is complete. The number of events in it."""
    unfinished = output.with_name(f".{output.name}.part")
    try:
        with writing(output):
            tally = _Tally()
            with unfinished.open("wb") as file:
                file.writelines(write(tally.of(pages)))
            unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return tally.count


class _Tally:
    """Counts the events that pass through."""

    count = 0

    def of(self, pages: Iterable[list[Recorded]]) -> Iterator[list[Recorded]]:
        for page in pages:
            self.count += len(page)
            yield page
