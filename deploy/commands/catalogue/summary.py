"""Plans of catalogues as text: counts with their causes, what is asked of a person, and what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KINDS = ("create", "change", "keep", "missing", "blocked")
_PLAIN = ("create", "keep", "missing")  # whose causes say nothing more


def plan_text(plan: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> str:
    """What a person reads before an apply."""
    lines = [f"catalogue {plan['catalogue']}, version {plan['version']}: {plan['rows']:,} rows", counts_text(plan)]
    lines += [f"  {_change(one)}" for one in changes]
    if forecast := _forecast(plan["forecast"] or {}):
        lines.append(forecast)
    lines += [f"asks for a person: {safeguard['message']}" for safeguard in plan["safeguards"]]
    if plan["counts"].get("create") or plan["counts"].get("change"):
        confirm = " --confirm" if plan["safeguards"] else ""
        lines.append(f"next: presswork catalogue apply {plan['catalogue']} {plan['id']}{confirm}")
    return "\n".join(lines)


def counts_text(plan: Mapping[str, Any]) -> str:
    """ "create 120, change 41 (photo 30, column colour 11), keep 8,839, missing 3, blocked 2"."""
    said = []
    for kind in _KINDS:
        causes = {} if kind in _PLAIN else plan["causes"].get(kind, {})
        listed = ", ".join(f"{cause} {count:,}" for cause, count in causes.items())
        said.append(f"{kind} {plan['counts'].get(kind, 0):,}" + (f" ({listed})" if listed else ""))
    return ", ".join(said)


def _change(one: Mapping[str, Any]) -> str:
    place = f"row {one['row']}, " if one["row"] else ""
    return f"{one['kind']}: {one['key']} ({place}{one['cause']}) {one['detail']}".rstrip()


def _forecast(forecast: Mapping[str, Any]) -> str:
    if not forecast.get("images"):
        return ""
    seconds, cost = forecast.get("gpu_seconds"), forecast.get("cost")
    said = [f"about {seconds['p50']:,} GPU seconds"] if seconds else []
    if cost:
        said.append(f"about {cost['p50']:,} {forecast['currency']}")
    return "; ".join([*said, *filter(None, [forecast.get("message")])])
