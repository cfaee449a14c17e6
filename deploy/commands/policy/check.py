"""`presswork policy check`: the verdict of a rule set on a prompt."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deploy.commands.policy.options import load_rules, rules_option, verdict_text
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import json_option
from policy.prompts.normalisation.variants import normalised_variants
from policy.prompts.rewrite import prepare
from policy.rulebook.prompts import PromptField
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Verdict, merge


@click.command(
    epilog=exit_status(
        "the prompt is allowed", "the prompt is held or refused", "the rule set could not be read, or wrong usage"
    )
)
@click.argument("text")
@click.option("--tenant", metavar="TENANT", default="", help="Apply the exceptions of this tenant.")
@click.option("--campaign", metavar="NAME", default="", help="Name of the campaign, for rules with a scope.")
@click.option("--model", metavar="NAME", default="", help="Name of the model, for rules with a scope.")
@click.option("--negative", is_flag=True, help="TEXT is a negative prompt.")
@click.option("--meaning", "with_meaning", is_flag=True, help="Also ask the moderation models, as the worker does.")
@click.option("--variants", "show_variants", is_flag=True, help="Also show the normalised variants that are matched.")
@json_option("Print the verdict as one JSON object, as the ledger stores it.")
@rules_option
def check(
    *,
    text: str,
    tenant: str,
    campaign: str,
    model: str,
    negative: bool,
    with_meaning: bool,
    show_variants: bool,
    as_json: bool,
    path: Path,
) -> None:
    """Check a prompt against the rule set.

    TEXT is the prompt; - reads it from standard input. The check matches words, as the API does at submission. The
    worker also asks the moderation models before it releases an image; --meaning does the same.
    """
    wanted = sys.stdin.read() if text == "-" else text
    field = PromptField.NEGATIVE_PROMPT if negative else PromptField.PROMPT
    rules, context = load_rules(path), Context(tenant, campaign, model)
    prepared = prepare(rules, wanted, context, field)
    verdict = prepared.verdict
    if with_meaning and field is PromptField.PROMPT:
        verdict = merge([verdict, *_meaning_verdicts(rules, prepared.text, context)])
    click.echo(verdict_text("prompt", verdict, as_json=as_json))
    if prepared.text != wanted and not as_json:
        click.echo(f"  becomes {prepared.text!r}")
    for variant in normalised_variants(prepared.text) if show_variants else ():
        guessed = ", a guess" if variant.guess else ""
        click.echo(f"  read as ({variant.name}{guessed}): {' '.join(map('|'.join, variant.positions))}")
    sys.exit(0 if verdict.allowed else 1)


def _meaning_verdicts(rules: Rules, text: str, context: Context) -> list[Verdict]:
    """The verdicts of the moderation models on the text, if the rule set asks any."""
    from policy.prompts.meaning.screen import MeaningScreen  # noqa: PLC0415 - loads the network

    return MeaningScreen.load(rules).screen([(text, context)]) if rules.meaning.rules else []
