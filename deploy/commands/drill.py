"""`presswork audit drill`: tampering of every kind, and whether an auditor would see it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


@click.command()
def drill() -> None:
    """Tamper with copies of a log, as a database superuser, and show what the offline verifier says of each.

    Works on a Postgres of its own that is gone afterwards; touches no running stack. Exit 1 if anything goes unseen.
    """
    from deploy.drill import drill as run  # noqa: PLC0415 - an installation need not have the embedded parts
    from deploy.embedded.stack import Stack  # noqa: PLC0415

    unseen = 0
    with tempfile.TemporaryDirectory(prefix="presswork-drill-", ignore_cleanup_errors=True) as folder:
        stack = Stack(Path(folder) / "stack", ports={})
        stack.open()
        try:
            stack.children["postgres"] = stack.postgres.start()
            stack.wait_until_ready(stack.postgres)
            for number, outcome in enumerate(run(stack.postgres, Path(folder))):
                seen = outcome.named is not None if number else not outcome.problems
                unseen += not seen
                said = outcome.named or "; ".join(outcome.problems) or "as it was signed"
                mark = click.style("ok    ", "green") if seen else click.style("UNSEEN", "red")
                click.echo(f"{mark}  {outcome.crime}\n        {said}")
        finally:
            stack.close()
    if unseen:
        raise click.ClickException(f"{unseen} not seen, or a sound log was accused")
