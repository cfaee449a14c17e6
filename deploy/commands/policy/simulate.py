"""`presswork policy simulate`: what a candidate rule set would have decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from deploy.commands.policy.options import load_rules
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.instants import InstantType
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, json_option, tenant_option
from deploy.commands.shared.tables import cell
from policy.ledger.reading.events import with_request_names
from policy.ledger.reading.stream import EntryFilter, entries_in
from policy.rules import Rules
from policy.simulate import DECIDED, Change, Changed, Meaning, SimulationReport
from policy.simulate import simulate as simulate_rules
from policy.verdict import VERDICTS, Decision

if TYPE_CHECKING:
    from policy.prompts.meaning.screen import MeaningScreen

_SHOWN = 10  # categories and campaigns; --json has all of them


@click.command(
    epilog=exit_status(
        "the report is printed",
        "the report could not be made",
        "the rule set or the ledger could not be read, or wrong usage",
    )
)
@click.argument("path", metavar="RULES", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--since",
    metavar="INSTANT",
    type=InstantType(),
    help="Only items settled at this instant or later: a day (UTC), or a date and time with its zone.",
)
@tenant_option("Only items of this tenant.")
@click.option(
    "--examples",
    metavar="NUMBER",
    type=click.IntRange(min=0, max=1000),
    default=5,
    show_default=True,
    help="Number of examples for each kind of change.",
)
@json_option("Print the report as one JSON object.")
@data_option
def simulate(
    *, path: Path, since: datetime | None, tenant: str | None, examples: int, data: Path, as_json: bool
) -> None:
    """Apply a candidate rule set to the history in the ledger.

    RULES is the file of the candidate. It needs no GPU and stores nothing. Prompts are judged from their text, images
    and meanings from the recorded scores. If the candidate has other examples, prompts are scored again.
    """
    rules = load_rules(path)
    with open_ledger(auditor_settings(data)) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        pages = entries_in(lambda: nullcontext(conn), EntryFilter(since=since, tenant=tenant, kinds=DECIDED))
        history = chain.from_iterable(with_request_names(conn, page) for page in pages)
        found = simulate_rules(rules, history, examples=examples, meaning=_meaning(rules))
    if as_json:
        click.echo(json.dumps(found.to_json()))
    else:
        _show(found)


def _meaning(rules: Rules) -> Meaning | None:
    """Scores a prompt under the candidate's examples; the network is loaded when the first one has to be scored."""
    screens: list[MeaningScreen] = []

    def scores(text: str) -> Mapping[str, float]:
        if not screens:
            from policy.prompts.meaning.screen import MeaningScreen as Screen  # noqa: PLC0415 - heavy

            screens.append(Screen.load(rules))
        return screens[0].scores(text)

    return lru_cache(maxsize=4096)(scores) if rules.meaning.rules else None


def _show(report: SimulationReport) -> None:
    """Print what changes, by category and request, with the first examples."""
    console = Console(highlight=False, markup=False)
    console.print(f"{report.policy_version}\n{report.judged:,} items judged, {report.unchanged:,} unchanged")
    for reason, items in report.not_judged.items():
        if items:
            console.print(f"{items:,} not judged: {reason.replace('_', ' ')}")
    table = Table("decided \\ would decide", *VERDICTS, box=None)
    for before, after in report.table.items():
        table.add_row(before, *(f"{after[decision]:,}" for decision in VERDICTS))
    console.print("", table)
    if any(sum(row.values()) for row in report.reviews.values()):
        people = Table("reviewer decided \\ would decide", *VERDICTS, box=None)
        for said, row in report.reviews.items():
            people.add_row(said, *(f"{row[decision]:,}" for decision in VERDICTS))
        console.print("", people)
        console.print(_agreement(report.reviews))
    for change in Change:
        _show_change(console, change.replace("_", " "), report.changes[change], report.request_names)
    if report.unpictured:
        console.print(
            f"\n{report.unpictured:,} of the held and allowed were never generated, so their images could not be judged"
        )


def _agreement(reviews: Mapping[str, Mapping[str, int]]) -> str:
    """How the rules compare with the decisions of reviewers, in a sentence."""
    released, refused = reviews["release"], reviews["refuse"]
    return (
        f"the rules would allow {released[Decision.ALLOW]:,} of {sum(released.values()):,} that reviewers released, "
        f"and {refused[Decision.ALLOW]:,} of {sum(refused.values()):,} that reviewers refused"
    )


def _show_change(console: Console, name: str, changed: Changed, names: Mapping[str, str]) -> None:
    console.print(f"\n{name}: {changed.items:,}")
    called = {f"{request}  {cell(names.get(request))}": items for request, items in changed.by_request.items()}
    for what, counted, others in (
        ("category", changed.by_category, 0),
        ("campaign", called, changed.other_requests),
    ):
        if counted:
            _show_counted(console, what, counted, others)
    for example in changed.examples:
        rules = ", ".join(example.rules)
        console.print(f"  {example.before} -> {example.after}  item {example.item_id}  {rules}", soft_wrap=True)


def _show_counted(console: Console, what: str, counted: Mapping[str, int], others: int) -> None:
    """Names are never cut, however narrow the terminal: people copy ids."""
    lines = [(name, f"{items:,}") for name, items in list(counted.items())[:_SHOWN]]
    if rest := sum(counted.values()) - sum(list(counted.values())[:_SHOWN]) + others:
        lines.append(("others", f"{rest:,}"))
    width = max(len(name) for name, _ in (*lines, (what, "")))
    for name, items in ((what, "items"), *lines):
        console.print(f"  {name.ljust(width)}  {items}", soft_wrap=True)
