"""Prompt rewriting: replaces terms of rewrite rules, then screens what is left. The entry point for a submitted text.

Order of precedence, and why:
1. Allow rules and exceptions decide which terms count at all, for a rewrite too.
2. Rewrites replace terms that count and can be located in the text: written plainly, in leetspeak, with repeated
   letters or with signs inside a word. Terms hidden deeper (spaced letters, base64) are not replaced, and so held.
3. The rewritten text is screened as if it had been sent so. The worst finding decides.
4. Categories that admit no exceptions also judge the text as it was sent: no rewrite launders it.

Rewriting a rewritten text changes nothing: rounds go on until no rule finds anything. A rule set whose replacements
never come to rest leaves the text as it was sent, which is then held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from policy.prompts.hits import counting
from policy.prompts.normalisation.variants import located_variants
from policy.prompts.personal import find_personal
from policy.prompts.screen import personal_rules, place_of, screen_prompt, words
from policy.rulebook.prompts import PromptField, PromptRule
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage, Verdict

_ROUNDS = 5  # one does the work, another proves it; replacements that meet other rules take a few


class Prepared(NamedTuple):
    """The text to sample and the verdict on it. The text differs from the one that was sent if it was rewritten."""

    text: str
    verdict: Verdict


class _Edit(NamedTuple):
    first: int
    end: int
    rule: PromptRule


def prepare(rules: Rules, text: str, context: Context, field: str = PromptField.PROMPT) -> Prepared:
    """The text that may be sampled, with its verdict. Calling `prepare` on that text again changes nothing."""
    rewritten, by = _rewritten(rules, text, context, field)
    verdict = screen_prompt(
        rules, rewritten, tenant=context.tenant, field=field, campaign=context.campaign, model=context.model
    )
    if not by:
        return Prepared(text, verdict)
    told = [
        Finding(Decision.REWRITE, Stage.PROMPT, rule.category, rule.id, detail=_said(rule, count, field))
        for rule, count in by.items()
    ]
    known = {finding.rule for finding in verdict.findings}
    sent = [
        finding
        for finding in words(rules, text, context, field)
        if finding.category in rules.strict and finding.rule not in known
    ]
    return Prepared(rewritten, Verdict(rules.version, (*told, *verdict.findings, *sent)))


def _said(rule: PromptRule, count: int, field: str) -> str:
    places = "1 place" if count == 1 else f"{count} places"
    return f"{field} was rewritten in {places}: {rule.replacement!r} stands there now"


def _rewritten(rules: Rules, text: str, context: Context, field: str) -> tuple[str, dict[PromptRule, int]]:
    """The text after all rewrites with their counts. The text as it was sent where rewrites never come to rest."""
    by: dict[PromptRule, int] = {}
    if len(text) > rules.max_chars or not rules.rewriting:
        return text, by
    now = text
    for _ in range(_ROUNDS):
        edits = _chosen(_edits(rules, now, context, field))
        if not edits:
            return now, by
        for edit in reversed(edits):
            now = now[: edit.first] + edit.rule.replacement + now[edit.end :]
            by[edit.rule] = by.get(edit.rule, 0) + 1
    return text, {}


def _edits(rules: Rules, text: str, context: Context, field: str) -> Iterator[_Edit]:
    for positions, locate in located_variants(text):
        met = [one for one in counting(rules, positions, place_of(field), context) if one.hits]
        rewriting = [one for one in met if one.rule.decision is Decision.REWRITE]
        if rewriting:
            spans = locate()
            for rule, hits, _ in rewriting:
                yield from (_Edit(spans[hit.first][0], spans[hit.last][1], rule) for hit, _ in hits)
    for rule in personal_rules(rules, context, field):
        if rule.decision is Decision.REWRITE:
            yield from (_Edit(span.first, span.end, rule) for span in find_personal(text, rule.personal, rule.regions))


def _chosen(edits: Iterator[_Edit]) -> list[_Edit]:
    """Edits that do not overlap, from left to right.

    Of overlapping edits the first one is kept, and of those the longest.
    """
    chosen: list[_Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.first, -edit.end)):
        if not chosen or edit.first >= chosen[-1].end:
            chosen.append(edit)
    return chosen
