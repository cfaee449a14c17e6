"""Prompt screen: the verdict on one prompt by its characters, then by every rule over every normalised variant.

It is pure and fast: no file, no network, no state but the compiled terms of the rule set. It runs in the API for every
row of a spreadsheet. Where a text may still be changed, call `prepare` in rewrite.py instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from policy.prompts.hits import counting, nothing_met
from policy.prompts.normalisation.variants import normalised_variants
from policy.prompts.personal import find_personal
from policy.rulebook.prompts import PromptField, PromptRule
from policy.rulebook.scope import Context
from policy.rules import TEXT, Rules
from policy.verdict import Decision, Finding, Stage, Verdict

# Nobody types these; they break storage (NUL), logs and terminals, or stand for no character at all.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
# Text that a reviewer would see in another order than the model reads it.
_OVERRIDE = re.compile("[\u202d\u202e]")


def screen_prompt(
    rules: Rules, text: str, *, tenant: str, field: str = PromptField.PROMPT, campaign: str = "", model: str = ""
) -> Verdict:
    """The verdict on the text as it stands, with at most one finding a rule. No finding holds the text itself.

    `field` says where the text stands: rules are written for prompts, for negative prompts or for both. Any other name
    is screened as a prompt. This function rewrites nothing: it holds a text that a rewrite rule would still change,
    because the picture of it may exist already.
    """
    findings = list(_characters(rules, text, field))
    if len(text) <= rules.max_chars:
        context = Context(tenant, campaign, model)
        findings += words(rules, text, context, field)
        findings += _personal(rules, text, context, field)
    return Verdict(rules.version, tuple(findings))


def screen_reading(
    rules: Rules, reading: str, sent: Verdict, *, tenant: str, field: str, campaign: str = "", model: str = ""
) -> Verdict:
    """The verdict on a text as it was sent, and on how a model reads it, such as its words without the brackets.

    What both hold is found once.
    """
    found = screen_prompt(rules, reading, tenant=tenant, field=field, campaign=campaign, model=model).findings
    known = {(finding.rule, finding.decision) for finding in sent.findings}
    besides = (finding for finding in found if (finding.rule, finding.decision) not in known)
    return Verdict(sent.policy_version, (*sent.findings, *besides))


def place_of(field: str) -> PromptField:
    return PromptField.NEGATIVE_PROMPT if field == PromptField.NEGATIVE_PROMPT else PromptField.PROMPT


def words(rules: Rules, text: str, context: Context, field: str) -> list[Finding]:
    """Findings of the rules about terms, and of the allow rules that silenced some."""
    if nothing_met(rules, text):
        return []
    found: dict[str, Finding] = {}
    for variant in normalised_variants(text):
        for rule, hits, silenced_by in counting(rules, variant.positions, place_of(field), context):
            for id_ in silenced_by - found.keys():
                detail = f"{field} holds a term of {rule.id} that {id_} allows"
                found[id_] = Finding(Decision.ALLOW, Stage.PROMPT, id_.partition("/")[0], id_, detail=detail)
            if hits and rule.id not in found:
                said = f"meets a term of {rule.id} ({hits[0][1].language}) in the {variant.name} variant"
                finding = _of_rule(rule, f"{field} {said}")
                found[rule.id] = _at_most_held(finding) if variant.guess else finding
    return list(found.values())


def _characters(rules: Rules, text: str, field: str) -> Iterator[Finding]:
    if len(text) > rules.max_chars:
        yield _finding(Decision.REFUSE, "too-long", f"{field} is longer than {rules.max_chars} characters; shorten it")
    if _CONTROL.search(text):
        yield _finding(Decision.REFUSE, "control-characters", f"{field} holds control characters; remove them")
    if not text.isascii() and _OVERRIDE.search(text):
        yield _finding(Decision.HOLD, "reversed-text", f"{field} holds characters that reverse the reading direction")


def _finding(decision: Decision, slug: str, detail: str) -> Finding:
    return Finding(decision, Stage.PROMPT, TEXT, f"{TEXT}/{slug}", detail=detail)


def _personal(rules: Rules, text: str, context: Context, field: str) -> Iterator[Finding]:
    """Kind and position of personal data, never the data: findings are stored where personal data must not be."""
    for rule in personal_rules(rules, context, field):
        if spans := list(find_personal(text, rule.personal, rule.regions)):
            places = ", ".join(f"{span.kind} at characters {span.first + 1} to {span.end}" for span in spans[:_PLACES])
            more = f" and {len(spans) - _PLACES} more" if len(spans) > _PLACES else ""
            yield _of_rule(rule, f"{field} holds personal data: {places}{more}")


_PLACES = 5  # named in a finding


def personal_rules(rules: Rules, context: Context, field: str) -> Iterable[PromptRule]:
    for rule in rules.personal:
        asked = place_of(field) in rule.fields and rule.scope.covers(context)
        if asked and not rules.excepted(context, rule.id):
            yield rule


def _at_most_held(finding: Finding) -> Finding:
    """The finding of a variant that guesses: the words may be there by chance, so a person decides."""
    if finding.decision is not Decision.REFUSE:
        return finding
    return replace(finding, decision=Decision.HOLD, detail=f"{finding.detail}, a guess")


def _of_rule(rule: PromptRule, detail: str) -> Finding:
    if (
        rule.decision is Decision.REWRITE
    ):  # not rewritten yet: hidden in a variant, or the rule is newer than the picture
        detail += ", which a rewrite should have replaced and could not"
        return Finding(Decision.HOLD, Stage.PROMPT, rule.category, rule.id, detail=detail)
    return Finding(rule.decision, Stage.PROMPT, rule.category, rule.id, detail=detail)
