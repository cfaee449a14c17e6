"""Options of `presswork models approve` and `retire`: --by, and the decision as it is stored."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import select

from deploy.commands.models.options import database
from workers.jobs.models.decisions import ModelDecision, decide
from workers.jobs.tables import tenants

_ACTOR = "presswork models"
BY = click.option("--by", metavar="PERSON", required=True, help="Who decides. The ledger keeps a salted digest of it.")


def decide_now(data: Path, decision: ModelDecision) -> None:
    """Of the whole installation. Raises BadParameter for a tenant that is not there."""
    with database(data) as conn:
        if unknown := sorted(set(decision.tenants or ()) - set(conn.scalars(select(tenants.c.id)))):
            raise click.BadParameter(f"there is no tenant {', '.join(unknown)}", param_hint="--tenant")
        decide(conn, decision, actor=_ACTOR)
