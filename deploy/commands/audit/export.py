"""`presswork audit export`: a span of the ledger as a file, however long, in little memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import click

from deploy.commands.shared.instants import Instant
from deploy.commands.shared.opening import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, writing
from policy.events import KINDS
from policy.ledger.reading.events import Recorded
from policy.ledger.reading.exports import csv_rows, jsonl
from policy.ledger.reading.parquet import parquet
from policy.ledger.reading.stream import EntryFilter, entries_in

_WRITERS = {"jsonl": jsonl, "csv": csv_rows, "parquet": parquet}


@click.command()
@click.option("--from", "since", type=Instant(), help="Events from this day or moment on.")
@click.option("--to", "until", type=Instant(), help="Events before this day or moment.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(sorted(KINDS)), metavar="KIND", help="Repeatable.")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--format", "written", type=click.Choice(list(_WRITERS)), default="jsonl", show_default=True,
              help="How the events are written.")  # fmt: skip
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
              help="The file, written whole or not at all; - is standard output.")  # fmt: skip
@data_option
def export(
    *,
    since: datetime | None,
    until: datetime | None,
    kinds: tuple[str, ...],
    tenant: str | None,
    written: str,
    output: Path,
    data: Path,
) -> None:
    """Write events, oldest first, as JSON lines, CSV or Parquet, with the private text that was not erased."""
    if since and until and since >= until:
        raise click.UsageError("--to is not after --from")
    if written == "parquet" and output == Path("-") and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text for a terminal: name a file with -o, or write into a pipe")
    if output != Path("-") and output.exists() and not output.is_file():
        raise click.ClickException(f"{output} is no file, and would be replaced by one; -o - writes to a pipe")
    with open_ledger(auditor_settings(data)) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        pages = entries_in(lambda: nullcontext(conn), EntryFilter(since, until, tenant, kinds))
        if output == Path("-"):
            sys.stdout.buffer.writelines(_WRITERS[written](pages))
            return
        count = _write(pages, output, written)
    click.echo(f"wrote {count:,} events to {output}")


def _write(pages: Iterator[list[Recorded]], output: Path, written: str) -> int:
    """Beside the file first, and renamed when it is whole. How many events it holds."""
    unfinished = output.with_name(f".{output.name}.part")
    try:
        with writing(output):
            tally = _Tally()
            with unfinished.open("wb") as file:
                file.writelines(_WRITERS[written](tally.of(pages)))
            unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return tally.count


class _Tally:
    """Counts what passes."""

    count = 0

    def of(self, pages: Iterable[list[Recorded]]) -> Iterator[list[Recorded]]:
        for page in pages:
            self.count += len(page)
            yield page
