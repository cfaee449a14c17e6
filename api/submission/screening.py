"""Prompt screening at the door: what a row's texts may be sampled as, and which column to blame for a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api.edge.problems import Complaint
from api.schemas.submission import RefusedRowReply, RewrittenRowReply
from api.submission.pictures.known import KnownInput
from policy.prompts.rewrite import Prepared, prepare
from policy.prompts.screen import screen_prompt, screen_reading
from policy.prompts.weights import WeightsInvalid, plain_text
from policy.rulebook.prompts import PromptField
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage, Verdict, merge


@dataclass(frozen=True, slots=True)
class Screened:
    """The texts to sample, the verdict on both, and of a text that was rewritten what had been sent, by its field."""

    prompt: str
    negative_prompt: str
    verdict: Verdict
    sent: Mapping[str, str]


def screen(
    rules: Rules, context: Context, prompt: str, negative_prompt: str, syntax: str = ""
) -> Screened | list[Complaint]:
    """The verdict on both texts together, after the rewrites that the rules ask for; or why weights cannot be read.

    In a prompt syntax a text is screened as it was sent, and as the words that the model reads: brackets hide none.
    """
    if wrong := _unreadable(prompt, negative_prompt, syntax):
        return wrong
    wanted = prepare(rules, prompt, context)
    sent = {} if wanted.text == prompt else {"prompt": prompt}
    unwanted = Prepared("", Verdict(rules.version))
    if negative_prompt:
        unwanted = prepare(rules, negative_prompt, context, PromptField.NEGATIVE_PROMPT)
        sent |= {} if unwanted.text == negative_prompt else {"negative_prompt": negative_prompt}
    if sent and (wrong := _unreadable(wanted.text, unwanted.text, syntax)):
        return [replace(one, message=f"{one.message}, once the rule set rewrote the text") for one in wrong]
    verdict = _of_words(rules, context, wanted, PromptField.PROMPT, syntax)
    if negative_prompt:
        verdict = merge([verdict, _of_words(rules, context, unwanted, PromptField.NEGATIVE_PROMPT, syntax)])
    return Screened(wanted.text, unwanted.text, verdict, sent)


def _of_words(rules: Rules, context: Context, made: Prepared, field: PromptField, syntax: str) -> Verdict:
    """With the verdict on the plain words, where they are not the text itself."""
    plain = plain_text(made.text, syntax)
    if plain == made.text:
        return made.verdict
    named = {"tenant": context.tenant, "campaign": context.campaign, "model": context.model}
    return screen_reading(rules, plain, made.verdict, field=field, **named)


def _unreadable(prompt: str, negative_prompt: str, syntax: str) -> list[Complaint]:
    found = []
    for field, text in (("prompt", prompt), ("negative_prompt", negative_prompt)):
        try:
            plain_text(text, syntax)
        except WeightsInvalid as error:
            found.append(Complaint("prompt_syntax", str(error), error.remedy, field=field))
    return found


def with_inputs(texts: Screened, pictures: Iterable[KnownInput]) -> Screened:
    """With what policy found on the inputs: one that is refused refuses what would be made from it."""
    found = [known.verdict for known in pictures if known.verdict is not None]
    return replace(texts, verdict=merge([texts.verdict, *found])) if found else texts


def refusal(
    rules: Rules,
    context: Context,
    verdict: Verdict,
    *,
    row: int,
    line: int | None,
    custom_id: str,
    sources: Mapping[str, str],
) -> RefusedRowReply:
    """A refused row in words. `sources` are the texts the prompt was put together from, by their names."""
    finding = _worst(verdict)
    of_input = finding.stage is Stage.INPUT
    column = "image" if of_input else _blame(rules, context, finding, sources)
    if of_input:
        where = "an input is"
    elif column == "prompt":
        where = "the prompt is" if "prompt" in sources else "the texts together are"
    else:
        where = f"the text of '{column}' is"
    detail = f": {finding.detail}" if finding.detail else ""
    return RefusedRowReply(
        row=row,
        line=line,
        custom_id=custom_id,
        column=column,
        category=finding.category,
        rule=finding.rule,
        message=f"{where} refused by rule {finding.rule}{detail}",
    )


def rewriting(verdict: Verdict, *, row: int, line: int | None, custom_id: str) -> RewrittenRowReply:
    """A rewritten row in words."""
    changes = verdict.rewrites
    rules = list(dict.fromkeys(finding.rule for finding in changes))
    message = "; ".join(f"{finding.detail}, by rule {finding.rule}" for finding in changes)
    return RewrittenRowReply(row=row, line=line, custom_id=custom_id, rules=rules, message=message)


def _worst(verdict: Verdict) -> Finding:
    return next(finding for finding in verdict.findings if finding.decision is Decision.REFUSE)


def _blame(rules: Rules, context: Context, finding: Finding, sources: Mapping[str, str]) -> str:
    """The first source that is refused by the same rule on its own; "prompt" if only their combination is."""
    for name, text in sources.items():
        if not text.strip():
            continue
        alone = screen_prompt(
            rules,
            text,
            tenant=context.tenant,
            field=_field(name),
            campaign=context.campaign,
            model=context.model,
        )
        if any(f.rule == finding.rule and f.decision is Decision.REFUSE for f in alone.findings):
            return name
    return "prompt"


def _field(name: str) -> str:
    return name if name == "negative_prompt" else "prompt"
