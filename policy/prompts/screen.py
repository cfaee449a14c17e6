"""The verdict on one prompt: characters first, then every rule over every copy of the text.

Pure and quick: no file, no network, no state but the compiled terms of the rule set. It runs in the
API for every row of a spreadsheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from policy.prompts.matcher import Hit, Matcher
from policy.prompts.normalise import copies
from policy.rulebook.prompts import PromptField, PromptRule, Term
from policy.rules import TEXT, Rules
from policy.terms import MAX_WORDS
from policy.verdict import Decision, Finding, Stage, Verdict

# Nobody types these; they break storage (NUL), logs and terminals, or stand for no character at all.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
# Text that a reviewer would see in another order than the model reads it.
_OVERRIDE = re.compile("[\u202d\u202e]")


def screen_prompt(rules: Rules, text: str, *, tenant: str, field: str = PromptField.PROMPT) -> Verdict:
    """What the rules say of the text; one finding a rule at most. The text itself is in no finding.

    `field` says where the text stands: rules are written for prompts, for negative prompts or for
    both. Any other name is screened as a prompt.
    """
    findings = list(_characters(rules, text, field))
    if len(text) <= rules.max_chars:
        place = PromptField.NEGATIVE_PROMPT if field == PromptField.NEGATIVE_PROMPT else PromptField.PROMPT
        findings += _words(rules, text, tenant=tenant, place=place, field=field)
    return Verdict(rules.version, tuple(findings))


def _characters(rules: Rules, text: str, field: str) -> Iterator[Finding]:
    if len(text) > rules.max_chars:
        yield _finding(Decision.REFUSE, "too-long", f"{field} is longer than {rules.max_chars} characters; shorten it")
    if _CONTROL.search(text):
        yield _finding(Decision.REFUSE, "control-characters", f"{field} holds control characters; remove them")
    if not text.isascii() and _OVERRIDE.search(text):
        yield _finding(Decision.HOLD, "reversed-text", f"{field} holds characters that reverse the reading direction")


def _finding(decision: Decision, slug: str, detail: str) -> Finding:
    return Finding(decision, Stage.PROMPT, TEXT, f"{TEXT}/{slug}", detail=detail)


def _words(rules: Rules, text: str, *, tenant: str, place: PromptField, field: str) -> list[Finding]:
    compiled = _compile(rules)
    found: dict[str, Finding] = {}
    for copy in copies(text):
        for rule, hits in compiled.by_rule(compiled.matcher.hits(copy.positions)):
            if rule.id in found or place not in rule.fields:
                continue
            term = _speaks(rules, rule, hits, tenant)
            if term is not None:
                detail = f"{field} meets a term of {rule.id} ({term.language}) in the {copy.name} copy"
                found[rule.id] = Finding(rule.decision, Stage.PROMPT, rule.category, rule.id, detail=detail)
    return list(found.values())


def _speaks(rules: Rules, rule: PromptRule, hits: list[tuple[Hit, _Role]], tenant: str) -> Term | None:
    """The first term of the rule that counts here, or None. Time in proportion to the hits, not to their square."""
    excuses: dict[int, int] = {}
    for hit, role in hits:
        if role.kind == "unless":
            excuses[hit.first] = max(hit.last, excuses.get(hit.first, -1))
    counting = [(hit, role) for hit, role in hits if role.kind != "unless" and not _within(hit, excuses)]
    near = {spot for hit, role in counting if role.kind == "near" for spot in range(hit.first, hit.last + 1)}
    for hit, role in counting:
        if role.term is None or rules.excepted(tenant, rule.id, role.term.text):
            continue
        if not rule.near or not near.isdisjoint(_around(hit, rule.near_words)):
            return role.term
    return None


def _within(hit: Hit, excuses: dict[int, int]) -> bool:
    """Whether an excuse (first -> last word) covers the whole hit; none is longer than MAX_WORDS."""
    return any(excuses.get(first, -1) >= hit.last for first in range(hit.first - MAX_WORDS + 1, hit.first + 1))


def _around(hit: Hit, near_words: int) -> Iterator[int]:
    """The places before and after the hit, not those of the hit itself."""
    return chain(range(hit.first - near_words, hit.first), range(hit.last + 1, hit.last + near_words + 1))


@dataclass(frozen=True, slots=True)
class _Role:
    """What a hit means: a term of its rule, or (term None) a neighbour or an excuse."""

    rule: PromptRule
    kind: str
    term: Term | None = None


@dataclass(frozen=True, slots=True)
class _Compiled:
    matcher: Matcher
    roles: tuple[_Role, ...]

    def by_rule(self, hits: Iterable[Hit]) -> Iterable[tuple[PromptRule, list[tuple[Hit, _Role]]]]:
        """The hits of each rule together with what they mean."""
        grouped: dict[str, tuple[PromptRule, list[tuple[Hit, _Role]]]] = {}
        for hit in hits:
            role = self.roles[hit.tag]
            grouped.setdefault(role.rule.id, (role.rule, []))[1].append((hit, role))
        return grouped.values()


@lru_cache(maxsize=8)
def _compile(rules: Rules) -> _Compiled:
    roles, entries = list[_Role](), []
    for rule in rules.prompt_rules:
        for term in rule.terms:
            entries += [(len(roles), phrase) for phrase in term.phrases]
            roles.append(_Role(rule, "term", term))
        for kind, listed in (("near", rule.near), ("unless", rule.unless)):
            entries += [(len(roles), phrase) for phrase in listed]
            roles.append(_Role(rule, kind))
    return _Compiled(Matcher(entries), tuple(roles))
