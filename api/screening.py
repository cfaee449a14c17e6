"""Prompt screening at the door: the verdict on a row, and which column to blame for a refusal."""

from __future__ import annotations

from collections.abc import Mapping

from api.reports import Refusal
from policy.prompts.screen import screen_prompt
from policy.rules import Rules
from policy.verdict import Decision, Finding, Verdict, merge


def screen(rules: Rules, tenant: str, prompt: str, negative_prompt: str) -> Verdict:
    """The verdict on both texts together."""
    verdict = screen_prompt(rules, prompt, tenant=tenant)
    if not negative_prompt:
        return verdict
    return merge([verdict, screen_prompt(rules, negative_prompt, tenant=tenant, field="negative_prompt")])


def refusal(
    rules: Rules,
    tenant: str,
    verdict: Verdict,
    *,
    row: int,
    line: int | None,
    custom_id: str,
    sources: Mapping[str, str],
) -> Refusal:
    """A refused row in words. `sources` are the texts the prompt was put together from, by their names."""
    finding = _worst(verdict)
    column = _blame(rules, tenant, finding, sources)
    where = "the texts together are" if column == "prompt" else f"the text of '{column}' is"
    detail = f": {finding.detail}" if finding.detail else ""
    return Refusal(
        row=row,
        line=line,
        custom_id=custom_id,
        column=column,
        category=finding.category,
        rule=finding.rule,
        message=f"{where} refused by rule {finding.rule}{detail}",
    )


def _worst(verdict: Verdict) -> Finding:
    return next(finding for finding in verdict.findings if finding.decision is Decision.REFUSE)


def _blame(rules: Rules, tenant: str, finding: Finding, sources: Mapping[str, str]) -> str:
    """The first source that is refused by the same rule on its own; "prompt" if only their combination is."""
    for name, text in sources.items():
        alone = screen_prompt(rules, text, tenant=tenant, field=_field(name)) if text.strip() else None
        if alone and any(f.rule == finding.rule and f.decision is Decision.REFUSE for f in alone.findings):
            return name
    return "prompt"


def _field(name: str) -> str:
    return name if name == "negative_prompt" else "prompt"
