"""A simulation of rules over history, as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from deploy.commands.shared.shown import cell
from policy.simulate import Change, Changed, SimulationReport
from policy.verdict import VERDICTS, Decision

_SHOWN = 10  # categories and campaigns; --json has all of them


def show_simulation(report: SimulationReport) -> None:
    """What changed, by category and request, with the first examples."""
    console = Console(highlight=False, markup=False)
    console.print(f"{report.policy_version}\n{report.judged:,} items judged, {report.unchanged:,} as before")
    for reason, items in report.not_judged.items():
        if items:
            console.print(f"{items:,} not judged: {reason.replace('_', ' ')}")
    table = Table("decided \\ would decide", *VERDICTS, box=None)
    for before, after in report.table.items():
        table.add_row(before, *(f"{after[decision]:,}" for decision in VERDICTS))
    console.print("", table)
    if any(sum(row.values()) for row in report.reviews.values()):
        people = Table("a person said \\ would decide", *VERDICTS, box=None)
        for said, row in report.reviews.items():
            people.add_row(said, *(f"{row[decision]:,}" for decision in VERDICTS))
        console.print("", people)
        console.print(_agreement(report.reviews))
    for change in Change:
        _show_change(console, change.replace("_", " "), report.changes[change], report.request_names)
    if report.unpictured:
        console.print(f"\n{report.unpictured:,} of the held and allowed were never made: their pictures are unknown")


def _agreement(reviews: Mapping[str, Mapping[str, int]]) -> str:
    """How the rules stand to what people decided, in a sentence."""
    released, refused = reviews["release"], reviews["refuse"]
    return (
        f"of {sum(released.values()):,} that people released the rules would let {released[Decision.ALLOW]:,} pass "
        f"unseen; of {sum(refused.values()):,} that people refused, {refused[Decision.ALLOW]:,}"
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
    """Names whole, however narrow the terminal: an id that is cut is of no use."""
    lines = [(name, f"{items:,}") for name, items in list(counted.items())[:_SHOWN]]
    if rest := sum(counted.values()) - sum(list(counted.values())[:_SHOWN]) + others:
        lines.append(("others", f"{rest:,}"))
    width = max(len(name) for name, _ in (*lines, (what, "")))
    for name, items in ((what, "items"), *lines):
        console.print(f"  {name.ljust(width)}  {items}", soft_wrap=True)
