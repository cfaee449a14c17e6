"""`presswork models approve`: who may use a model, until when, with the name of who decided."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from deploy.commands.models.decide import BY, decide_now
from deploy.commands.models.options import MODELS_DIR, open_card
from deploy.commands.shared.options import data_option
from workers.jobs.models.decisions import ModelDecision
from workers.states import ModelState


@click.command()
@click.argument("name")
@BY
@click.option("--tenant", "only_for", metavar="TENANT", multiple=True, show_default="every tenant",
              help="Tenant that may use it. Repeatable; other tenants do not see the model.")  # fmt: skip
@click.option("--expires", metavar="DATE", show_default="never", type=click.DateTime(["%Y-%m-%d"]),
              help="The last day of the approval, in UTC.")  # fmt: skip
@click.option("--reason", metavar="TEXT", default="", show_default="none", help="Why, for people.")
@MODELS_DIR
@data_option
def approve(
    name: str,
    models_dir: Path,
    data: Path,
    *,
    by: str,
    only_for: tuple[str, ...],
    expires: datetime | None,
    reason: str,
) -> None:
    """Approve the installed revision of the model NAME.

    It holds from now on, without a restart. With PRESSWORK_REQUIRE_APPROVED_MODELS, a revision that nobody approved is
    refused.
    """
    card = open_card(models_dir, name)
    decision = ModelDecision(
        model=card.name,
        model_revision=card.revision,
        state=ModelState.APPROVED,
        decided_by=by,
        reason=reason,
        tenants=only_for or None,
        expires=expires.date() if expires else None,
    )
    decide_now(data, decision)
    who = f"for {', '.join(only_for)}" if only_for else "for every tenant"
    until = f", until {decision.expires}" if decision.expires else ""
    click.echo(f"{name}: approved {who}{until} ({card.revision})")
