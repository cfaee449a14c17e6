"""`presswork policy show`: a rule set as tables."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from deploy.commands.policy.options import load_rules, rules_option
from deploy.commands.shared.exit_status import exit_status
from policy.rulebook.images import ImageRule, SecondOpinion
from policy.rulebook.scope import EVERYWHERE, RuleScope


@click.command(epilog=exit_status("the rule set is valid", "failure", "the rule set is not valid, or wrong usage"))
@rules_option
def show(path: Path) -> None:
    """Show a rule set and check that it is valid.

    Prints its version, categories, rules, thresholds and exceptions.
    """
    rules = load_rules(path)
    console = Console()
    console.print(f"{rules.name}\n{rules.version}\n", highlight=False)
    categories = Table("category", "description", box=None)
    for name, description in rules.categories.items():
        categories.add_row(name, description)
    prompts = Table(
        Column("prompt rule", no_wrap=True, min_width=24), "decides", "reads", "languages", "terms", box=None
    )
    for rule in rules.prompt_rules:
        languages = ", ".join(dict.fromkeys(term.language for term in rule.terms))
        looked_for = ", ".join(sorted(rule.personal)) or f"{sum(len(term.phrases) for term in rule.terms):,}"
        reads = ", ".join(sorted(rule.fields)) + ("" if rule.scope == EVERYWHERE else f"; {_confined(rule.scope)}")
        prompts.add_row(rule.id, rule.decision, reads, languages, looked_for)
    meanings = Table("meaning rule", "scorer", "by", "hold from", "refuse from", box=None)
    for meaning in rules.meaning.rules:
        by = f"{len(meaning.examples)} examples" if meaning.examples else " + ".join(meaning.scores)
        bounds = ["-" if bound is None else f"{bound:g}" for bound in (meaning.hold, meaning.refuse)]
        meanings.add_row(meaning.id, meaning.scorer, by, *bounds)
    images = Table("image rule", "classifier", "scores", "hold from", "refuse from", box=None)
    for image in rules.image_rules:
        images.add_row(image.id, *_asked(image))
        if image.second:
            band = f"{image.second.begins:g} to {image.second.ends:g}"
            images.add_row(f"  {image.second.combine}, from {band}", *_asked(image.second))
    exceptions = Table("tenant", "may break", "terms", "scope", "reason", box=None)
    for (tenant, id_), exempted in rules.exceptions.items():
        for exemption in exempted:
            terms = ", ".join(sorted(exemption.terms)) if exemption.terms else "any term"
            exceptions.add_row(tenant, id_, terms, _confined(exemption.scope), exemption.reason)
    bundled = Table("bundled", "kind", "details", box=None)
    for part in rules.bundled.classifiers:
        bundled.add_row(part.name, part.kind, f"sha256:{part.sha256[:16]}")
    if rules.bundled.text_categories:
        bundled.add_row("text", "writing on pictures", ", ".join(sorted(rules.bundled.text_categories)))
    if rules.bundled.regeneration.times:
        wanted = [*sorted(rules.bundled.regeneration.rules), *(["faults"] if rules.bundled.regeneration.faults else [])]
        bundled.add_row("regeneration", f"at most {rules.bundled.regeneration.times} times", ", ".join(wanted))
    bundled.add_row("label", f"absent in a channel: {rules.label.absent}", _confined(rules.label.scope))
    for table in (categories, prompts, meanings, images, exceptions, bundled):
        if table.row_count:
            console.print(table, "")


def _confined(scope: RuleScope) -> str:
    parts = {"tenant": sorted(scope.tenants), "campaign": scope.campaigns, "model": scope.models}
    return "; ".join(f"{name} {', '.join(names)}" for name, names in parts.items() if names) or "everywhere"


def _asked(opinion: ImageRule | SecondOpinion) -> list[str]:
    bounds = ["-" if bound is None else f"{bound:g}" for bound in (opinion.hold, opinion.refuse)]
    return [opinion.classifier, " + ".join(opinion.scores), *bounds]
