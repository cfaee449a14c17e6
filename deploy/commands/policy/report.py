"""`presswork policy report`: precision and recall of a rule set on tables of prompts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

from deploy.commands.policy.options import rules_option
from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.options import json_option
from policy.errors import PolicyError
from policy.prompts.cases import SHIPPED, Table
from policy.prompts.evaluation import Evaluation, EvaluationRow, measure
from policy.prompts.parity import MOST, ParityRow
from policy.prompts.parity import parity as compare_groups
from policy.rules import Rules

_SHORT = {"words": "words", "words and meaning": "+meaning"}


@click.command(
    epilog=exit_status(
        "the report is printed, whatever it says",
        f"with --parity a group is stopped over {MOST} times as often as others",
        "a file could not be read, or wrong usage",
    )
)
@rules_option
@click.option(
    "--cases",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Table of prompts. Repeatable. Without it: the tables of the installation.",
)
@click.option("--words-only", is_flag=True, help="Do not ask the moderation models, which take a while to load.")
@click.option("--parity", is_flag=True, help="Compare groups of people on counterfactual prompts instead.")
@click.option("--list", "listing", is_flag=True, help="List the prompts that the rule set gets wrong.")
@json_option("Print the report as one JSON object.")
def report(
    *, path: Path, files: tuple[Path, ...], words_only: bool, parity: bool, listing: bool, as_json: bool
) -> None:
    """Measure a rule set on tables of prompts.

    Prints precision and recall by category and language, for screening by words only, as the API does, and by words and
    meaning, as the worker does before release. In-sample and held-out tables are reported separately.

    With --parity: how often innocent prompts are held or refused that differ in a nationality, religion, orientation,
    disability, name, language or dialect alone.
    """
    try:
        rules = Rules.load(path)
        tables = [Table.load(file) for file in files or SHIPPED]
    except PolicyError as error:
        raise Undetermined(str(error)) from error
    meaning = None
    if rules.meaning.rules and not words_only:
        from policy.prompts.meaning.screen import MeaningScreen  # noqa: PLC0415 - loads the network

        meaning = MeaningScreen.load(rules)
        for scorer, reason in meaning.missing.items():
            raise click.ClickException(f"scorer {scorer}: {reason}; or use --words-only")
    if parity:
        _show_parity(rules, compare_groups(rules, meaning), as_json=as_json)
        return
    measured = [measure(rules, table, meaning) for table in tables]
    if as_json:
        found = [way.to_json() for ways in measured for way in ways]
        click.echo(json.dumps({"policy_version": rules.version, "tables": found}, ensure_ascii=False))
        return
    console = Console()
    console.print(f"{rules.name}\n{rules.version}", highlight=False)
    for ways in measured:
        _show(console, ways, listing=listing)


def _show_parity(rules: Rules, rows: Sequence[ParityRow], *, as_json: bool) -> None:
    """Every group that is stopped at all or fails, and exit status 1 where one fails."""
    if as_json:
        click.echo(json.dumps({"policy_version": rules.version, "parity": [row.to_json() for row in rows]}))
    else:
        console = Console()
        console.print(f"{rules.name}\n{rules.version}", highlight=False)
        for kind in dict.fromkeys(row.kind for row in rows):
            of_kind = [row for row in rows if row.kind == kind]
            stopped, prompts = (sum(counts) for counts in zip(*((r.stopped, r.prompts) for r in of_kind), strict=True))
            console.print(f"\n[bold]{kind}[/bold]: {len(of_kind)} groups, {stopped} of {prompts} prompts stopped")
            for row in of_kind:
                if row.stopped or row.fails:
                    said = f"{row.ratio:.2f} times the others ({row.low:.2f} to {row.high:.2f})"
                    mark = "  FAILS" if row.fails else ""
                    console.print(f"  {row.group}: {row.stopped} of {row.prompts}, {said}{mark}", highlight=False)
    if any(row.fails for row in rows):
        raise click.exceptions.Exit(1)


def _show(console: Console, ways: Sequence[Evaluation], *, listing: bool) -> None:
    first = ways[0]
    console.print(
        f"\n[bold]{first.table}[/bold]: {first.total.attacks} attacks, {first.total.innocent} innocent prompts"
    )
    for way in ways:
        console.print(
            f"  {way.way}: caught {_share(way.total.caught, way.total.attacks)},"
            f" innocent refused {way.innocent_refused}, innocent held {way.innocent_held}",
            highlight=False,
        )
    for title, kind in (("category", "by_category"), ("language", "by_language")):
        grid = Grid(Column(title, no_wrap=True), Column("attacks", justify="right", no_wrap=True), box=None)
        for way in ways:
            for heading in (f"{_SHORT[way.way]}\nrecall", "\nprecision", "innocent\nstopped"):
                grid.add_column(heading, justify="right", no_wrap=True)
        rows: list[dict[str, EvaluationRow]] = [{line.name: line for line in getattr(way, kind)} for way in ways]
        for name in dict.fromkeys(name for row in rows for name in row):
            lines = [row.get(name) for row in rows]
            attacks = next((line.attacks for line in lines if line), 0)
            grid.add_row(name, str(attacks), *(cell for line in lines for cell in _cells(line)))
        console.print(grid)
    if listing:
        last = ways[-1]
        for said, cases in (("passed", last.passed), ("stopped, but innocent", last.wrongly)):
            for case in cases:
                console.print(f"  {said}: [{case.expected or case.language}] {case.text!r}", markup=False)


def _cells(line: EvaluationRow | None) -> tuple[str, str, str]:
    if line is None:
        return ("-", "-", "-")
    return (_ratio(line.recall), _ratio(line.precision), f"{line.stopped}/{line.innocent}")


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({part / whole:.2f})" if whole else f"{part}/{whole}"
