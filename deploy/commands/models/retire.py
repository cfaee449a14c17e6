"""`presswork models retire`: no new request may use a model."""

from __future__ import annotations

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
@click.option("--reason", metavar="TEXT", required=True, help="Why. Who asks for the model is told.")
@MODELS_DIR
@data_option
def retire(name: str, models_dir: Path, data: Path, *, by: str, reason: str) -> None:
    """Refuse new requests for the model NAME.

    It is about the revision that is installed now, and holds from now on, without a restart. What was accepted before
    is still made; `presswork request cancel` ends it, and `presswork recall` takes back what was released. `presswork
    models approve` takes this back.
    """
    card = open_card(models_dir, name)
    decision = ModelDecision(
        model=card.name, model_revision=card.revision, state=ModelState.RETIRED, decided_by=by, reason=reason
    )
    decide_now(data, decision)
    click.echo(f"{name}: retired ({card.revision})")
