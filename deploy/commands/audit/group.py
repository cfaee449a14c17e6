"""`presswork audit`: is the ledger as it was signed, and what does it say of a thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text
from sqlalchemy import Connection

from deploy.commands.audit.drill import drill
from deploy.commands.audit.evidence import consistency, pack
from deploy.commands.audit.export import export
from deploy.commands.audit.questions import COMMANDS as QUESTIONS
from deploy.commands.audit.revocations import revocations, revoked
from deploy.commands.shared.opening import (
    CannotTell,
    auditor_settings,
    open_ledger,
    vkeys_of,
    witnesses_of,
)
from deploy.commands.shared.options import data_option, writing
from policy.ledger.flaws import VerificationReport
from policy.ledger.reading.events import PAGE, Recorded, events_about
from policy.ledger.tree import proofs
from policy.ledger.tree.anchor import Anchor
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.tree.notes import open_checkpoint
from policy.ledger.verification.verify import verify as verify_ledger
from workers.errors import WorkerError
from workers.sealing.anchors import make_anchors

_LONG = 20_000  # leaves; a bar for less would only flicker


@click.group()
def audit() -> None:
    """Verify the ledger, read it, prove what it says.

    Works on the embedded stack of --data, or, where PRESSWORK_DATABASE_URL is set and --data is not,
    on the installation that the environment describes. The auditor's login is enough for everything.
    """


for command in (*QUESTIONS, export, revocations, revoked):
    audit.add_command(command)


@audit.command()
@data_option
@click.option("--no-anchor", is_flag=True, help="Leave the object store out; what was cut off the end goes unseen.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def verify(data: Path, no_anchor: bool, as_json: bool) -> None:
    """Prove the whole log: every entry, every checkpoint, every anchor.

    Exit 0: intact. Exit 1: something is not as it was signed, and is named. Exit 2: could not be told.
    """
    settings = auditor_settings(data)
    vkeys = vkeys_of(settings)
    anchors, away = ((), {}) if no_anchor else _answering(make_anchors(settings, vkeys[0].name))
    with open_ledger(settings) as conn, _bar(quiet=as_json) as progress:
        report = verify_ledger(conn, vkeys, anchors, witnesses=witnesses_of(settings), progress=progress)
    if as_json:
        told = {**asdict(report), "root": report.root.hex(), "intact": report.intact, "anchors_away": away}
        click.echo(json.dumps(told))
    else:
        _show(report, settings.seal_seconds, away)
    if not report.intact:
        raise click.exceptions.Exit(1)
    if away:
        raise CannotTell(f"{len(away)} of {len(away) + len(anchors)} anchors did not answer. Remedy: --no-anchor "
                         "proves what can be proven without any")  # fmt: skip


@audit.command()
@click.argument("thing_id", metavar="ID")
@data_option
@click.option("--tenant", help="Only this tenant's events, as the API would show them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an event.")
def events(thing_id: str, data: Path, tenant: str | None, as_json: bool) -> None:
    """Everything recorded about the item, asset, request, batch or key ID, oldest first.

    For an item or an asset: its whole line, with its request and every batch it was in.
    """
    found = False
    with open_ledger(auditor_settings(data)) as conn:
        for recorded in _pages(conn, thing_id, tenant):
            found = True
            click.echo(json.dumps(recorded.to_json()) if as_json else _told(recorded))
    if not found:
        raise click.ClickException(f"the ledger knows no item, asset, request, batch or key {thing_id}")


@audit.command()
@data_option
@click.option("--size", type=click.IntRange(min=1), help="Of this many leaves; else the newest.")
def checkpoint(data: Path, size: int | None) -> None:
    """Print a signed tree head, a C2SP signed note, with the cosignatures of witnesses."""
    settings = auditor_settings(data)
    with open_ledger(settings) as conn:
        note = proofs.head(conn, size)
    open_checkpoint(note, vkeys_of(settings))
    click.echo(note, nl=False)


@audit.command()
@click.argument("event_id", type=click.UUID, required=False)
@data_option
@click.option("--asset", type=click.UUID, help="Instead of an event: the release of this asset.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), default=".", help="Folder for the two files.")
@click.option("--size", type=click.IntRange(min=1), help="Prove under the checkpoint of this size; else the newest.")
def prove(event_id: UUID | None, data: Path, asset: UUID | None, to: Path, size: int | None) -> None:
    """Write EVENT_ID.json, the exact bytes of an event, and EVENT_ID.tlog-proof, which proves them offline."""
    if (event_id is None) == (asset is None):
        raise click.UsageError("name an EVENT_ID or an --asset")
    with open_ledger(auditor_settings(data)) as conn:
        if asset is not None:
            found = proofs.proven_asset(conn, str(asset), size=size)
        else:
            found = proofs.proven_event(conn, str(event_id), size=size)
    files = to / f"{found.event_id}.json", to / f"{found.event_id}.tlog-proof"
    with writing(to):
        to.mkdir(parents=True, exist_ok=True)
        files[0].write_bytes(found.body)
        files[1].write_text(str(found.proof))
    click.echo(f"wrote {files[0]} and {files[1]}: leaf {found.proof.index} of {found.size}")


@audit.command()
@click.argument("proof", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("body", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--vkeys", type=click.Path(exists=True, dir_okay=False, path_type=Path), envvar="PRESSWORK_LEDGER_VKEYS",
              required=True, help="The public keys of the log.")  # fmt: skip
def check(proof: Path, body: Path, vkeys: Path) -> None:
    """Check PROOF for the event in BODY with nothing but the public keys: no database, no network."""
    parsed = proofs.InclusionProof.parse(proof.read_text(errors="replace"))
    head = proofs.check(parsed, body.read_bytes(), load_vkeys(vkeys))
    click.echo(f"proven: leaf {parsed.index} of the {head.size} leaves that {head.origin} signed")


audit.add_command(consistency)
audit.add_command(pack)
audit.add_command(drill)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error for a long log, nothing for a short one or a pipe."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("verifying", visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=total > _LONG)


def _answering(anchors: Sequence[Anchor]) -> tuple[tuple[Anchor, ...], dict[str, str]]:
    """The anchors that answer, and what those say that do not."""
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
        verdict = Text(" CANNOT TELL ", "bold black on yellow")
    console.print(verdict, f"the log {report.origin}")
    waiting = f", the oldest for {report.unsealed_seconds:.1f} s" if report.unsealed else ""
    console.print(f"  entries      {report.entries:,}: {report.sealed:,} sealed, {report.unsealed:,} waiting{waiting}")
    console.print(
        f"  checkpoints  {report.checkpoints:,}"
        + (f", the last proven of {report.sealed_at}" if report.sealed_at else "")
    )
    console.print(f"  root         {report.root.hex()} of {report.proven:,} leaves")
    for said in _anchored(report):
        console.print(f"  anchored     {said}")
    for place, reason in away.items():
        console.print(Text(f"  anchored     unknown: the anchor '{place}' did not answer: {reason}", "red"))
    if report.witnessed is not None:
        console.print(f"  witnessed    {report.witnessed:,} leaves have a quorum of witnesses")
    console.print(f"  window       {seal_seconds:g} s, from commit to seal: what waits could still be removed unseen")
    for number, problem in enumerate(report.problems, start=1):
        console.print(Text(f"{number:>4}. [{problem.flaw}] {problem.message}", "red"))
    if report.left_out:
        console.print(Text(f"      and {report.left_out:,} more", "red"))


def _anchored(report: VerificationReport) -> Iterator[str]:
    if not report.anchored:
        yield "not asked: a tail cut off together with its checkpoints would go unseen"
    for place, size in report.anchored.items():
        behind = report.proven - size
        lacks = f", {behind:,} behind: a cut-off tail of these would go unseen" if behind > 0 else ""
        yield f"{size:,} leaves outside the database, in the anchor '{place}'{lacks}"


def _pages(conn: Connection, thing_id: str, tenant: str | None) -> Iterator[Recorded]:
    after = 0
    while page := events_about(conn, thing_id, tenant=tenant, after=after):
        yield from page
        after = page[-1].entry_id
        if len(page) < PAGE:
            return


def _told(recorded: Recorded) -> str:
    leaf = "waiting" if recorded.index is None else f"leaf {recorded.index}"
    said = "".join(
        f"\n    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in recorded.to_json()["event"].items()
    )
    return f"{recorded.at}  {recorded.kind}  by {recorded.actor}  ({leaf}, event {recorded.event_id}){said}"
