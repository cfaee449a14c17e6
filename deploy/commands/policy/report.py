"""`presswork policy report`: precision and recall of a rule set on tables of cases, on a terminal or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

from policy.errors import PolicyError
from policy.prompts.cases import SHIPPED, Table
from policy.prompts.evaluation import Evaluation, EvaluationRow, measure
from policy.rules import Rules
from workers.settings import Settings

_SHORT = {"words": "words", "words and meaning": "+meaning"}


@click.command()
@click.option(
    "--rules",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PRESSWORK_POLICY_RULES",
    default=Settings.model_fields["policy_rules"].default,
    help="The rule set.",
)
@click.option(
    "--cases",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A table of cases; repeatable. Left out: the seven that ship.",
)
@click.option("--words-only", is_flag=True, help="Leave out the scorers of meaning, which take a while to load.")
@click.option("--list", "listing", is_flag=True, help="List the prompts on which the rule set is wrong.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def report(*, path: Path, files: tuple[Path, ...], words_only: bool, listing: bool, as_json: bool) -> None:
    """How a rule set does on tables of prompts: precision and recall by category and language.

    Two ways of screening stand side by side: by words alone, as the API does, and by words and meaning, as the worker
    does before release. In sample and held out are reported apart.
    """
    try:
        rules = Rules.load(path)
        tables = [Table.load(file) for file in files or SHIPPED]
    except PolicyError as error:
        raise click.ClickException(str(error)) from error
    meaning = None
    if rules.meaning.rules and not words_only:
        from policy.prompts.meaning.screen import MeaningScreen  # noqa: PLC0415 - loads the network

        meaning = MeaningScreen.load(rules)
        for scorer, reason in meaning.missing.items():
            raise click.ClickException(f"scorer {scorer}: {reason}; or say --words-only")
    measured = [measure(rules, table, meaning) for table in tables]
    if as_json:
        found = [way.to_json() for ways in measured for way in ways]
        click.echo(json.dumps({"policy_version": rules.version, "tables": found}, ensure_ascii=False))
        return
    console = Console()
    console.print(f"{rules.name}\n{rules.version}", highlight=False)
    for ways in measured:
        _show(console, ways, listing=listing)


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
