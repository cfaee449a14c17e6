"""`presswork policy`: what the rules say of a prompt or a picture, without making or storing anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Column, Table

from deploy.commands.audit.simulation import show_simulation
from deploy.commands.policy.report import report
from deploy.commands.shared.instants import Instant
from deploy.commands.shared.opening import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option
from policy.errors import PolicyError
from policy.ledger.reading.events import with_request_names
from policy.ledger.reading.stream import EntryFilter, entries_in
from policy.prompts.normalisation.variants import normalised_variants
from policy.prompts.rewrite import prepare
from policy.rulebook.images import ImageRule, SecondOpinion
from policy.rulebook.prompts import PromptField
from policy.rulebook.scope import EVERYWHERE, Context, RuleScope
from policy.rules import Rules
from policy.simulate import DECIDED, Meaning
from policy.simulate import simulate as simulate_rules
from policy.verdict import Decision, Verdict, merge
from workers.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from policy.prompts.meaning.screen import MeaningScreen

_RULES = click.option(
    "--rules",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PRESSWORK_POLICY_RULES",
    default=Settings.model_fields["policy_rules"].default,
    help="The rule set.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a verdict, as the ledger keeps it.")


@click.group()
def policy() -> None:
    """Rule sets, and what they say of a prompt or a picture."""


policy.add_command(report)


@policy.command()
@click.argument("text")
@click.option("--tenant", default="", help="Apply this tenant's exceptions.")
@click.option("--campaign", default="", help="Name of the request, for rules with a scope.")
@click.option("--model", default="", help="Name of the model, for rules with a scope.")
@click.option("--negative", is_flag=True, help="TEXT is a negative prompt: what is kept out of the picture.")
@click.option("--meaning", "with_meaning", is_flag=True, help="Ask the scorers of meaning too, as the worker does.")
@click.option("--copies", "show_copies", is_flag=True, help="Show the normalised copies that are read as well.")
@_JSON
@_RULES
def check(
    *,
    text: str,
    tenant: str,
    campaign: str,
    model: str,
    negative: bool,
    with_meaning: bool,
    show_copies: bool,
    as_json: bool,
    path: Path,
) -> None:
    """What the rules make of the prompt TEXT; - reads it from standard input. Exit 1 unless it is allowed.

    By its words, as at submission. Before release the worker asks what it means as well: --meaning does so here.
    """
    wanted = sys.stdin.read() if text == "-" else text
    field = PromptField.NEGATIVE_PROMPT if negative else PromptField.PROMPT
    rules, context = _loaded(path), Context(tenant, campaign, model)
    prepared = prepare(rules, wanted, context, field)
    verdict = prepared.verdict
    if with_meaning and field is PromptField.PROMPT:
        verdict = merge([verdict, *_judged(rules, prepared.text, context)])
    click.echo(_told("prompt", verdict, as_json=as_json))
    if prepared.text != wanted and not as_json:
        click.echo(f"  becomes {prepared.text!r}")
    for copy in normalised_variants(prepared.text) if show_copies else ():
        guessed = ", a guess" if copy.guess else ""
        click.echo(f"  read as ({copy.name}{guessed}): {' '.join(map('|'.join, copy.positions))}")
    sys.exit(0 if verdict.allowed else 1)


def _judged(rules: Rules, text: str, context: Context) -> list[Verdict]:
    """What the scorers of meaning say of the text, if the rules ask any."""
    from policy.prompts.meaning.screen import MeaningScreen  # noqa: PLC0415 - loads the network

    return MeaningScreen.load(rules).screen([(text, context)]) if rules.meaning.rules else []


@policy.command("check-image")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_JSON
@_RULES
def check_image(files: tuple[Path, ...], as_json: bool, path: Path) -> None:
    """What the classifiers and the rules say of picture FILES. Exit 1 unless all are allowed."""
    from policy.images.screen import ImageScreen  # noqa: PLC0415 - loads onnxruntime

    try:
        screen = ImageScreen.load(_loaded(path))
    except PolicyError as error:
        raise click.ClickException(str(error)) from error
    allowed = True
    for file in files:
        (verdict,) = screen.screen(_opened(file)[None])
        click.echo(_told(str(file), verdict, as_json=as_json))
        allowed &= verdict.allowed
    for name, revision in screen.revisions.items() if not as_json else ():
        click.echo(f"  asked: {name}, {revision}")
    sys.exit(0 if allowed else 1)


@policy.command("hash")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--category", required=True, help="One lower-case word; rules name it as the score.")
@click.option("--note", default="", help="For people; by default the file's name.")
def hash_pictures(files: tuple[Path, ...], category: str, note: str) -> None:
    """Lines of a hash list for picture FILES. The list's digest belongs into the rule set (docs/policy.md)."""
    from policy.images.hash_list import line  # noqa: PLC0415 - loads OpenCV

    for file in files:
        try:
            click.echo(line(_opened(file), category, note or file.name))
        except ValueError as wrong:
            raise click.ClickException(f"{file}: {wrong}") from wrong


@policy.command()
@_RULES
def show(path: Path) -> None:
    """The rule set: version, categories, rules, thresholds, exceptions. Also tells whether a file is sound."""
    rules = _loaded(path)
    console = Console()
    console.print(f"{rules.name}\n{rules.version}\n", highlight=False)
    categories = Table("category", "is", box=None)
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
    exceptions = Table("tenant", "may break", "with", "where", "because", box=None)
    for (tenant, id_), exempted in rules.exceptions.items():
        for exemption in exempted:
            terms = ", ".join(sorted(exemption.terms)) if exemption.terms else "any of its terms"
            exceptions.add_row(tenant, id_, terms, _confined(exemption.scope), exemption.reason)
    bundled = Table("brings along", "is", "as", box=None)
    for part in rules.bundled.classifiers:
        bundled.add_row(part.name, part.kind, f"sha256:{part.sha256[:16]}")
    if rules.bundled.text_categories:
        bundled.add_row("text", "writing on pictures", ", ".join(sorted(rules.bundled.text_categories)))
    if rules.bundled.regeneration.times:
        wanted = [*sorted(rules.bundled.regeneration.rules), *(["faults"] if rules.bundled.regeneration.faults else [])]
        bundled.add_row("redraw", f"at most {rules.bundled.regeneration.times} times", ", ".join(wanted))
    for table in (categories, prompts, meanings, images, exceptions, bundled):
        if table.row_count:
            console.print(table, "")


@policy.command()
@click.argument("path", metavar="RULES", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--since", type=Instant(), help="Items settled from this day or moment on; else all of history.")
@click.option("--tenant", help="Only this tenant's items.")
@click.option("--examples", type=click.IntRange(min=0, max=1000), default=5, show_default=True, help="Of each change.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def simulate(
    *, path: Path, since: datetime | None, tenant: str | None, examples: int, data: Path, as_json: bool
) -> None:
    """What the candidate RULES would have decided of everything the ledger holds. No GPU, and nothing is stored.

    Prompts are judged from their text, pictures and meanings from the raw scores recorded of them; where the
    candidate has other examples than then, prompts are scored anew.
    """
    rules = _loaded(path)
    with open_ledger(auditor_settings(data)) as conn:
        conn.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all pages
        pages = entries_in(lambda: nullcontext(conn), EntryFilter(since=since, tenant=tenant, kinds=DECIDED))
        history = chain.from_iterable(with_request_names(conn, page) for page in pages)
        found = simulate_rules(rules, history, examples=examples, meaning=_meaning(rules))
    if as_json:
        click.echo(json.dumps(found.to_json()))
    else:
        show_simulation(found)


def _meaning(rules: Rules) -> Meaning | None:
    """Scores a prompt under the candidate's examples; the network is loaded when the first one has to be scored."""
    screens: list[MeaningScreen] = []

    def scores(text: str) -> Mapping[str, float]:
        if not screens:
            from policy.prompts.meaning.screen import MeaningScreen as Screen  # noqa: PLC0415 - heavy

            screens.append(Screen.load(rules))
        return screens[0].scores(text)

    return lru_cache(maxsize=4096)(scores) if rules.meaning.rules else None


def _confined(scope: RuleScope) -> str:
    parts = {"tenant": sorted(scope.tenants), "campaign": scope.campaigns, "model": scope.models}
    return "; ".join(f"{name} {', '.join(names)}" for name, names in parts.items() if names) or "everywhere"


def _asked(opinion: ImageRule | SecondOpinion) -> list[str]:
    bounds = ["-" if bound is None else f"{bound:g}" for bound in (opinion.hold, opinion.refuse)]
    return [opinion.classifier, " + ".join(opinion.scores), *bounds]


def _opened(file: Path) -> NDArray[np.uint8]:
    from policy.intake.picture import MAX_BYTES, open_picture  # noqa: PLC0415 - the other commands need no pixels

    try:
        with file.open("rb") as stored:
            return open_picture(stored.read(MAX_BYTES + 1)).pixels
    except (PolicyError, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from error


def _loaded(path: Path) -> Rules:
    try:
        return Rules.load(path)
    except PolicyError as error:
        raise click.ClickException(str(error)) from error


def _told(what: str, verdict: Verdict, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"of": what, **verdict.to_json()})
    lines = [f"{what}: {verdict.decision}"]
    lines += [f"  {finding.decision:<7} {finding.rule}: {finding.detail}" for finding in verdict.findings]
    lines += [f"  {name} {score:.3f}" for name, score in sorted(verdict.scores.items())]
    if verdict.decision is Decision.HOLD:
        lines.append("  a person looks at it before it is released")
    return "\n".join(lines)
