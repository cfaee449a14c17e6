"""`presswork audit events`: everything that the ledger recorded about a thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import Connection

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, json_option, tenant_option
from policy.ledger.reading.events import PAGE, Recorded, events_about


@click.command(
    epilog=exit_status(
        "at least one event", "the ledger has no event about ID", "the ledger could not be read, or wrong usage"
    )
)
@click.argument("thing_id", metavar="ID")
@tenant_option("Only events of this tenant, as the API shows them.")
@json_option("Print one JSON object per event.")
@data_option
def events(thing_id: str, data: Path, tenant: str | None, as_json: bool) -> None:
    """Show every event about an id, oldest first.

    ID is that of an item, asset, request, batch or API key. For an item or an asset, the events of its request and of
    its batches are included.
    """
    found = False
    with open_ledger(auditor_settings(data)) as conn:
        for recorded in _pages(conn, thing_id, tenant):
            found = True
            click.echo(json.dumps(recorded.to_json()) if as_json else _as_text(recorded))
    if not found:
        raise click.ClickException(f"the ledger has no event about an item, asset, request, batch or key {thing_id}")


def _pages(conn: Connection, thing_id: str, tenant: str | None) -> Iterator[Recorded]:
    after = 0
    while page := events_about(conn, thing_id, tenant=tenant, after=after):
        yield from page
        after = page[-1].entry_id
        if len(page) < PAGE:
            return


def _as_text(recorded: Recorded) -> str:
    leaf = "waiting" if recorded.index is None else f"leaf {recorded.index}"
    fields = "".join(
        f"\n    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in recorded.to_json()["event"].items()
    )
    return f"{recorded.at}  {recorded.kind}  by {recorded.actor}  ({leaf}, event {recorded.event_id}){fields}"
