"""`presswork audit drill`: tampers with copies of a log and shows what the offline verifier says."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.ledger import auditor_settings, ledger_engine, vkeys_of
from deploy.commands.shared.options import data_option
from deploy.extras import require


@click.command(
    epilog=exit_status(
        "the verifier named every change and accepted the unchanged log",
        "the verifier missed a change or rejected the unchanged log, or the drill failed",
    )
)
@click.option("--this-log", is_flag=True, help="Use copies of this installation's own ledger.")
@click.option("--limit", type=click.IntRange(4, 100_000), default=2_000, show_default=True,
              metavar="LEAVES", help="With --this-log: number of leaves to copy at most, from the first.")  # fmt: skip
@data_option
def drill(data: Path, *, this_log: bool, limit: int) -> None:
    """Tamper with copies of a ledger and check that it is seen.

    Changes copies of a ledger as a database superuser could, and shows what the offline verifier says about each.
    Without --this-log the ledger is generated for the drill. The copies lie in a temporary Postgres. The installation's
    ledger is only read, with the auditor's login, and verified before and after.
    """
    require("embedded")
    from deploy.drill.run import RealLog  # noqa: PLC0415 - an installation may lack the embedded extra
    from deploy.drill.run import drill as run  # noqa: PLC0415
    from deploy.embedded.stack import Stack  # noqa: PLC0415

    missed = 0
    with (
        tempfile.TemporaryDirectory(prefix="presswork-drill-", ignore_cleanup_errors=True) as folder,
        ExitStack() as open_here,
    ):
        real = None
        if this_log:
            settings = auditor_settings(data)
            engine = open_here.enter_context(ledger_engine(settings))
            real = RealLog(engine.connect, vkeys_of(settings), limit)
        stack = Stack(Path(folder) / "stack", ports={})
        stack.open()
        open_here.callback(stack.close)
        stack.children["postgres"] = stack.postgres.start()
        stack.wait_until_ready(stack.postgres)
        for number, outcome in enumerate(run(stack.postgres, Path(folder), real)):
            seen = outcome.named is not None if number else not outcome.problems
            missed += not seen and outcome.applicable
            text = outcome.named or "; ".join(outcome.problems) or "intact"
            mark = click.style("ok    ", "green") if seen else click.style("MISSED", "red")
            if not outcome.applicable:
                mark, text = "skip  ", "does not apply: this ledger has nothing to change, or its key is not here"
            click.echo(f"{mark}  {outcome.case}\n        {text}")
    if missed:
        raise click.ClickException(f"{missed} cases failed: a change was missed, or the unchanged ledger was rejected")
    click.echo("the copied ledger was verified before and after, and is unchanged")
