"""`presswork models audit`: who approved each installed model, until when, and what nobody stated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from deploy.commands.models.options import MODELS_DIR, database, open_registry
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option, json_option
from deploy.commands.shared.tables import print_rows
from workers.jobs.models.decisions import StandingDecision, standing_decisions
from workers.sampling.cards.limits import unstated
from workers.sampling.cards.registry import Registry
from workers.sampling.cards.standing import standing_of

_COLUMNS = ("model", "revision", "state", "tenants", "expires", "decided_by", "decided_at", "findings")


@click.command(
    epilog=exit_status("every model is approved, stated and within its time", "one is not; the findings name it")
)
@MODELS_DIR
@json_option("Print one JSON object per model.")
@data_option
def audit(models_dir: Path, data: Path, *, as_json: bool) -> None:
    """Show who approved each model, and what is missing.

    The decisions are those of the installation. The ledger has all of them, earlier ones too: events model.approved and
    model.retired.
    """
    registry = open_registry(models_dir)
    with database(data) as conn:
        decisions = standing_decisions(conn)
    rows = list(_rows(registry, decisions, datetime.now(UTC).date()))
    print_rows(rows, _COLUMNS, as_json=as_json)
    if any(row["findings"] for row in rows):
        click.get_current_context().exit(1)


def _rows(registry: Registry, decisions: Sequence[StandingDecision], today: date) -> Iterator[dict[str, Any]]:
    for card in registry.cards.values():
        standing = standing_of(card, decisions, tenant=None, today=today, require_approved=True, require_stated=False)
        findings = [standing.why] if standing.why else []
        if unknown := unstated(card):
            findings.append(f"nobody stated {', '.join(unknown)}")
        decided = standing.decision
        yield {
            "model": card.name,
            "revision": card.revision[:19],
            "state": str(standing.state),
            "tenants": list(decided.tenants) if decided and decided.tenants is not None else [],
            "expires": standing.expires,
            "decided_by": decided.decided_by if decided else None,
            "decided_at": decided.decided_at if decided else None,
            "findings": findings,
        }
    for (kind, name), why in registry.unusable.items():
        nothing = dict.fromkeys(("expires", "decided_by", "decided_at"))
        yield {
            "model": name,
            "revision": None,
            "state": f"unusable {kind}",
            "tenants": [],
            **nothing,
            "findings": [why],
        }
