"""`presswork audit`: the group of its commands."""

from __future__ import annotations

import click

from deploy.commands.audit.check import check
from deploy.commands.audit.checkpoint import checkpoint
from deploy.commands.audit.consistency import consistency
from deploy.commands.audit.delivered.lock import lock
from deploy.commands.audit.drill import drill
from deploy.commands.audit.events import events
from deploy.commands.audit.export import export
from deploy.commands.audit.forward import forward
from deploy.commands.audit.pack import pack
from deploy.commands.audit.prove import prove
from deploy.commands.audit.questions import QUESTIONS
from deploy.commands.audit.reconcile import reconcile_command
from deploy.commands.audit.report.command import report
from deploy.commands.audit.revocations import revocations
from deploy.commands.audit.revoked import revoked
from deploy.commands.audit.verify import verify


@click.group()
def audit() -> None:
    """Verify the ledger, query it, and export evidence.

    Works on the embedded stack of --data. If PRESSWORK_DATABASE_URL is set and --data is not given, it works on the
    installation that the environment describes. Every command needs the auditor's login only.
    """


_PROOFS = (checkpoint, prove, check, consistency, pack, lock)
for command in (
    verify,
    events,
    *QUESTIONS,
    export,
    forward,
    *_PROOFS,
    revocations,
    revoked,
    reconcile_command,
    report,
    drill,
):
    audit.add_command(command)
