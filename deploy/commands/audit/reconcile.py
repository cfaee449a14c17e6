"""`presswork audit reconcile`: compares jobs, assets and stored objects with the ledger, both ways."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import click

from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, json_option
from deploy.reconciliation import STEPS, Place, reconcile
from workers.errors import StoreUnavailable
from workers.store import ObjectStore


@click.command(
    "reconcile",
    epilog=exit_status(
        "jobs, assets, objects and ledger agree",
        "at least one difference was found; each is named",
        "the ledger or the object store could not be read, or wrong usage",
    ),
)
@click.option("--share", metavar="SHARE", type=click.FloatRange(0, 1), default=1.0, show_default=True,
              help="Share of the assets whose files are fetched: the same in every run. 0 fetches none.")  # fmt: skip
@click.option("--progress", "path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="File that keeps how far the run has come. A run that was stopped goes on from there.")  # fmt: skip
@json_option("Print every difference as one JSON object per line.")
@data_option
def reconcile_command(*, data: Path, share: float, path: Path | None, as_json: bool) -> None:
    """Compare jobs, assets and stored objects with the ledger.

    Names assets and items without the event that must be there, events without their asset, files that are missing or
    hold other bytes than were released, and objects that no asset names for eight days. It only
    reads.
    """
    settings = auditor_settings(data)
    start, found = _kept(path)
    compared: Counter[str] = Counter()
    try:
        with open_ledger(settings) as conn:
            for page in reconcile(conn, ObjectStore(settings), share=share, start=start):
                compared[page.step] += page.compared
                found += len(page.differences)
                for each in page.differences:
                    told = {"kind": each.kind, "subject": each.subject, "message": each.message}
                    click.echo(json.dumps(told) if as_json else click.style(f"{each.kind}: {each.message}", fg="red"))
                _keep(path, page.next, found)
    except StoreUnavailable as error:
        raise Undetermined(f"the object store could not be read: {error}") from error
    said = ", ".join(f"{compared[step]:,} {step}" for step in STEPS)
    click.echo(f"compared {said}: {found} difference{'' if found == 1 else 's'}", err=as_json)
    if found:
        raise click.exceptions.Exit(1)


def _kept(path: Path | None) -> tuple[Place | None, int]:
    """Where an earlier run was stopped, and how many differences it had found."""
    if path is None or not path.exists():
        return None, 0
    try:
        told = json.loads(path.read_text())
        place, found = Place(str(told["step"]), str(told["after"])), int(told["differences"])
        if place.step not in STEPS:
            raise ValueError(place.step)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Undetermined(f"{path} does not hold the progress of a run. Remedy: delete it, and begin anew") from error
    return place, found


def _keep(path: Path | None, place: Place | None, found: int) -> None:
    """The next place, replaced at once, so that a run that dies here loses one page; nothing once all is compared."""
    if path is None:
        return
    with writing(path):
        if place is None:
            path.unlink(missing_ok=True)
            return
        half = path.with_name(f"{path.name}.half")
        half.write_text(json.dumps({"step": place.step, "after": place.after, "differences": found}))
        os.replace(half, path)
