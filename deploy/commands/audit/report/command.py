"""`presswork audit report`: what happened, under which rules, by whom, and how to check it, as HTML or PDF."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

import click

from deploy.commands.audit.report.pdf import as_pdf
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.instants import InstantType, refuse_empty_span
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, tenant_option
from policy.errors import ExportUnavailable, LedgerError
from policy.ledger.reading.report import asset_report, period_report
from policy.ledger.reading.report_html import as_html
from policy.ledger.reading.scope import Scope
from policy.ledger.tree import proofs

_WRITERS = {".html": as_html, ".pdf": as_pdf}


@click.command(
    epilog=exit_status(
        "the report is written", "the ledger has no such asset, or the file could not be written",
        "the ledger could not be read, or wrong usage",
    )
)  # fmt: skip
@click.option("--asset", metavar="ID", type=click.UUID, help="Report on this asset.")
@click.option("--campaign", metavar="NAME|ID", help="Report on this campaign: the name or the id of a request.")
@click.option("--from", "since", type=InstantType(), metavar="INSTANT", help="Report on what was from this instant.")
@click.option("--to", "until", type=InstantType(), metavar="INSTANT", help="Report on what was before this instant.")
@tenant_option()
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="File to write: .html or .pdf.")  # fmt: skip
@data_option
def report(
    *,
    asset: UUID | None,
    campaign: str | None,
    since: datetime | None,
    until: datetime | None,
    tenant: str | None,
    output: Path,
    data: Path,
) -> None:
    """Write a report on an asset, a campaign or a period.

    Says what happened, under which rule sets, who decided, and how to check it. The report is not signed; the events
    that it names are. Private text that was not erased is in it.
    """
    write = _WRITERS.get(output.suffix.lower())
    if write is None:
        raise click.UsageError("-o: name a file that ends in .html or .pdf")
    if asset is not None and (campaign or since or until or tenant):
        raise click.UsageError("give --asset alone")
    if asset is None and campaign is None and since is None and until is None:
        raise click.UsageError("give --asset, --campaign, --from or --to")
    refuse_empty_span(since, until, "--from", "--to")
    settings = auditor_settings(data)
    with open_ledger(settings) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for the whole report
        try:
            head = proofs.head(conn)
        except LedgerError as error:
            head = str(error)
        if asset is not None:
            made = asset_report(conn, str(asset), origin=settings.ledger_origin, head=head)
        else:
            scope = Scope(since=since, until=until, tenant=tenant, campaign=campaign)
            made = period_report(conn, scope, _title(scope), origin=settings.ledger_origin, head=head)
    if made is None:
        raise click.ClickException(f"the ledger has no released asset {asset}")
    try:
        document = write(made)
    except ExportUnavailable as error:
        raise click.ClickException(str(error)) from error
    with writing(output):
        unfinished = output.with_name(f".{output.name}.part")
        unfinished.write_bytes(document)
        unfinished.replace(output)
    click.echo(f"wrote {output}")


def _title(scope: Scope) -> str:
    parts = [f"Campaign {scope.campaign}"] if scope.campaign else ["What was made"]
    parts += [f"of {scope.tenant}"] if scope.tenant else []
    parts += [f"from {scope.since:%Y-%m-%d %H:%M} UTC"] if scope.since else []
    parts += [f"to {scope.until:%Y-%m-%d %H:%M} UTC"] if scope.until else []
    return " ".join(parts)
