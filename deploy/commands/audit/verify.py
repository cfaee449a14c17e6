"""`presswork audit verify`: proves that the ledger is intact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.ledger import auditor_settings, open_ledger, vkeys_of, witnesses_of
from deploy.commands.shared.options import data_option, json_option
from policy.errors import LedgerError
from policy.ledger.flaws import VerificationReport
from policy.ledger.tree.anchor import Anchor
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint
from policy.ledger.tree.proofs import head
from policy.ledger.verification.verify import verify as verify_ledger
from workers.errors import WorkerError
from workers.sealing.anchors import make_anchors

_LONG = 20_000  # leaves; a shorter log needs no progress bar


@click.command(
    epilog=exit_status(
        "the ledger is intact",
        "the ledger was tampered with; every flaw is named",
        "the ledger, its keys or an anchor could not be read, or wrong usage",
    )
)
@click.option("--no-anchor", is_flag=True, help="Do not compare with the anchors. Then a cut-off end is not detected.")
@click.option(
    "--kept",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="verify all",
    help="Verify what came since the head in this file; if that is intact, keep the newest head there.",
)
@json_option("Print the report as one JSON object.")
@data_option
def verify(data: Path, no_anchor: bool, kept: Path | None, as_json: bool) -> None:
    """Verify the whole ledger: entries, checkpoints, anchors.

    Recomputes every leaf and every tree head, checks every signature, and compares the result with the checkpoints that
    lie outside the database.

    With --kept it costs what came since the last time; the first time, when the file is not there, it verifies all.
    An entry before the kept head whose bytes were changed is found without --kept only: verify all now and then.
    """
    settings = auditor_settings(data)
    vkeys = vkeys_of(settings)
    anchors, away = ((), {}) if no_anchor else _answering(make_anchors(settings, vkeys[0].name))
    since = _head_in(kept, vkeys)
    with open_ledger(settings) as conn, _bar(quiet=as_json) as progress:
        report = verify_ledger(conn, vkeys, anchors, kept=since, witnesses=witnesses_of(settings), progress=progress)
        if kept and report.intact and report.proven:
            _keep(kept, head(conn, report.proven))
    if as_json:
        known = {**asdict(report), "root": report.root.hex(), "intact": report.intact, "anchors_away": away}
        click.echo(json.dumps(known))
    else:
        _show(report, settings.seal_seconds, away)
    if not report.intact:
        raise click.exceptions.Exit(1)
    if away:
        raise Undetermined(f"{len(away)} of {len(away) + len(anchors)} anchors did not answer. Remedy: verify without "
                           "anchors, with --no-anchor")  # fmt: skip


def _head_in(kept: Path | None, vkeys: Sequence[Vkey]) -> Checkpoint | None:
    """The kept head; None where the file is not there yet."""
    if kept is None or not kept.exists():
        return None
    try:
        return open_checkpoint(kept.read_text("utf-8"), vkeys)
    except (OSError, ValueError, LedgerError) as error:
        raise Undetermined(f"{kept} holds no head of this ledger: {error}. Remedy: name the file that an earlier "
                           "--kept wrote, or remove it to verify all") from error  # fmt: skip


def _keep(kept: Path, note: str) -> None:
    """The old head or the new one is there, whenever this is killed."""
    half = kept.with_name(f".{kept.name}.half")
    half.write_text(note, "utf-8")
    half.replace(kept)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error for a long log; none for a short one or without a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("verifying", visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=total > _LONG)


def _answering(anchors: Sequence[Anchor]) -> tuple[tuple[Anchor, ...], dict[str, str]]:
    """The anchors that answer, and the error of each that does not."""
    away: dict[str, str] = {}
    for anchor in anchors:
        try:
            anchor.newest()
        except WorkerError as error:
            away[anchor.name] = str(error)
    return tuple(anchor for anchor in anchors if anchor.name not in away), away


def _show(report: VerificationReport, seal_seconds: float, away: Mapping[str, str]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    verdict = Text(" INTACT ", "bold white on green") if report.intact else Text(" TAMPERED WITH ", "bold white on red")
    if report.intact and away:
        verdict = Text(" INCONCLUSIVE ", "bold black on yellow")
    console.print(verdict, f"ledger {report.origin}")
    waiting = f", the oldest for {report.unsealed_seconds:.1f} s" if report.unsealed else ""
    if report.since:
        console.print(f"  since        the kept head of {report.since:,} leaves; entries before it were not hashed")
    console.print(f"  entries      {report.entries:,}: {report.sealed:,} sealed, {report.unsealed:,} waiting{waiting}")
    console.print(
        f"  checkpoints  {report.checkpoints:,}"
        + (f", the last one stored with the time {report.sealed_at}, which nothing signs" if report.sealed_at else "")
    )
    console.print(f"  root         {report.root.hex()} of {report.proven:,} leaves")
    for line in _anchored(report):
        console.print(f"  anchored     {line}")
    for place, reason in away.items():
        console.print(Text(f"  anchored     unknown: the anchor '{place}' did not answer: {reason}", "red"))
    if report.witnessed is not None:
        console.print(f"  witnessed    {report.witnessed:,} leaves have a quorum of witnesses")
    console.print(f"  window       {seal_seconds:g} s, from commit to seal: an unsealed event could be removed unseen")
    for number, problem in enumerate(report.problems, start=1):
        console.print(Text(f"{number:>4}. [{problem.flaw}] {problem.message}", "red"))
    if report.left_out:
        console.print(Text(f"      and {report.left_out:,} more", "red"))


def _anchored(report: VerificationReport) -> Iterator[str]:
    if not report.anchored:
        yield "not compared: an end that was cut off together with its checkpoints would go unseen"
    for place, size in report.anchored.items():
        behind = report.proven - size
        lacks = f", {behind:,} behind: if these were cut off, it would go unseen" if behind > 0 else ""
        yield f"{size:,} leaves outside the database, in the anchor '{place}'{lacks}"
