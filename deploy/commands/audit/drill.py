"""`presswork audit drill`: tampering of every kind, and whether an auditor would see it."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from deploy.commands.shared.opening import auditor_settings, ledger_engine, vkeys_of
from deploy.commands.shared.options import data_option


@click.command()
@data_option
@click.option("--this-log", is_flag=True, help="Tamper with copies of this installation's own log.")
@click.option("--limit", type=click.IntRange(4, 100_000), default=2_000, show_default=True,
              help="With --this-log: copy at most this many leaves, from the first.")  # fmt: skip
def drill(data: Path, *, this_log: bool, limit: int) -> None:
    """Tamper with copies of a log, as a database superuser, and show what the offline verifier says of each.

    Without --this-log the log is made for the drill. Works on a Postgres of its own that is gone afterwards. The log
    itself is only read, by the auditor's login, and verified before and after. Exit 1 if anything goes unseen.
    """
    from deploy.drill.run import RealLog  # noqa: PLC0415 - an installation need not have the embedded parts
    from deploy.drill.run import drill as run  # noqa: PLC0415
    from deploy.embedded.stack import Stack  # noqa: PLC0415

    unseen = 0
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
            unseen += not seen and outcome.applicable
            said = outcome.named or "; ".join(outcome.problems) or "as it was signed"
            mark = click.style("ok    ", "green") if seen else click.style("UNSEEN", "red")
            if not outcome.applicable:
                mark, said = "left  ", "this log has nothing to do it to, or we do not have its key"
            click.echo(f"{mark}  {outcome.case}\n        {said}")
    if unseen:
        raise click.ClickException(f"{unseen} not seen, or a sound log was accused")
    click.echo("the log itself was verified before and after: it is what it was")
