"""Replies and summaries as text: what was accepted, every warning, what became of the images, the next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.client.problems import document_text
from deploy.commands.shared.tables import cell

_REFUSED_SHOWN = 10  # rows
_WORDS = {"held": "held for a reviewer", "refused": "refused by policy", "open": "still to be made"}
_ORDER = ("released", "held", "refused", "failed", "cancelled", "recalled", "open")


def reply_text(reply: Mapping[str, Any]) -> str:
    """The API's reply to a campaign as lines of text."""
    accepted = f"request {reply['id']}" if "id" in reply else "checked, nothing stored"
    lines = [f"{accepted}: {reply['rows']} rows, {reply['items']} items"]
    if reply.get("left_out_rows"):
        lines.append(f"  rows that the conditions left out: {reply['left_out_rows']:,}")
    lines += [f"  refused by policy, row {r['row']}: {cell(r['message'])}" for r in reply["refused"][:_REFUSED_SHOWN]]
    if len(reply["refused"]) > _REFUSED_SHOWN:
        lines.append(f"  ... and {len(reply['refused']) - _REFUSED_SHOWN} more refused rows")
    if reply["held_items"]:
        lines.append(f"  items that a reviewer must release: {reply['held_items']}")
    if reply.get("reused_items"):
        lines.append(f"  items that take a picture which is there already: {reply['reused_items']:,}")
    if reply.get("reencoded_items"):
        lines.append(f"  items whose files are made of a kept drawing, without a GPU: {reply['reencoded_items']:,}")
    if pilot := reply.get("pilot"):
        lines.append(f"  pilot: {pilot['sampled']} images are made first. {pilot['proves']}")
    if reply.get("rewritten_items"):
        lines.append(f"  items whose text policy changed: {reply['rewritten_items']}")
    lines += [f"  warning: {cell(warning['message'])}{_rows(warning)}" for warning in reply["warnings"]]
    lines += _forecast(reply["forecast"]) if reply.get("forecast") else []
    return "\n".join(lines)


def summary_text(status: Mapping[str, Any]) -> str:
    """What became of a request's images, and why some were not released."""
    summary = status["summary"]
    counts = ", ".join(f"{summary[name]:,} {_WORDS.get(name, name)}" for name in _ORDER if summary[name])
    lines = [f"{status['items']:,} items: {counts or 'none'}"]
    for reason in summary["reasons"]:
        why = ", ".join(filter(None, (reason["code"], reason["category"], reason["rule"]))) or reason["state"]
        lines.append(f"  {reason['items']:,} {reason['state']} ({cell(why)}). {cell(reason['remedy'])}")
    return "\n".join(lines)


def check_text(check: Mapping[str, Any]) -> str:
    """A large campaign that is no request: how far its check is, what it found, or what is wrong."""
    if check["state"] == "failed":
        return document_text(check["problem"])
    if check["state"] == "checked":
        return reply_text(check["reply"])
    if check["state"] == "cancelled":
        return f"campaign {check['id']}: cancelled before it was checked"
    rows = f"{check['rows_checked']:,} of {check['rows']:,} rows" if check["rows"] else "no row yet"
    return f"campaign {check['id']}: {check['stage']}, {rows}"


def _forecast(told: Mapping[str, Any]) -> list[str]:
    lines = [f"  forecast: {cell(told['message'])}"] if told["message"] else []
    for name, unit in (("gpu_seconds", "GPU seconds"), ("cost", told["currency"])):
        if told[name]:
            lines.append(
                f"  forecast: {told[name]['p50']:,.2f} {unit}, at most {told[name]['p90']:,.2f} in 9 of 10 cases"
            )
    if told["finish"]:
        lines.append(f"  forecast: finished at {told['finish']['p50']}, by {told['finish']['p90']} in 9 of 10 cases")
    return lines


def _rows(warning: Mapping[str, Any]) -> str:
    rows = warning.get("rows")
    if not rows:
        return ""
    more = (warning.get("count") or len(rows)) - len(rows[:_REFUSED_SHOWN])
    named = ", ".join(map(str, rows[:_REFUSED_SHOWN]))
    return f" (row{'s' if len(rows) > 1 else ''} {named}{f' and {more:,} more' if more > 0 else ''})"
