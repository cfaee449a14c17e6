"""Single prompts with their variants, checked against model, limits and policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from api.edge.dependencies import Parts
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.requests import SingleBody
from api.submission.checked import CheckedRow, RowOptions
from api.submission.findings import SubmissionFindings
from api.submission.pictures.consent import consent_complaints
from api.submission.pictures.known import KnownInput, demand_known, known_inputs
from api.submission.pictures.tasks import is_wordless
from api.submission.preview.forecast import works_of
from api.submission.recipes import RecipeBook, RecipeBooks
from api.submission.refused_warnings import refused_warnings
from api.submission.screening import screen, with_inputs
from api.submission.store import CheckedRequest
from api.submission.tenant_models import choose_model, tenant_models
from policy.rulebook.scope import Context
from workers.recipes import ROLES
from workers.settings import Settings

_FIELDS = {"negative_prompt_cut": "negative_prompt", "unusual_size": "width", "lora_not_asked": "loras"}


def check_single(asked: SingleBody, parts: Parts, tenant: str) -> CheckedRequest:
    """The request, ready to be stored. Raises Problem listing every field that is wrong."""
    models = tenant_models(parts, tenant)
    card = choose_model(models, asked.model)
    book = RecipeBook(card, parts.settings, models)
    context = Context(tenant, asked.name, card.name)
    row = check_row(asked, book, parts, context, pictures=_pictures(asked, parts, tenant))
    if isinstance(row, list):
        detail = "; ".join(f"{c.field}: {c.message}" for c in row[:3])
        raise Problem("invalid_body", f"{detail}.", errors=row)
    found = _findings(row, book, parts, context)
    if refused := _refused(found, parts):
        raise Problem("invalid_body", f"{refused[0].message}.", errors=refused)
    recipe = book.recipe(row.options)
    return CheckedRequest(
        kind="single",
        asked=asked,
        template=asked.prompt,
        card=card,
        report=found.report(),
        items=lambda request_id: row.items(request_id, recipe),
        works=works_of(found, RecipeBooks(book, parts.settings, models), parts.settings),
    )


def check_row(
    asked: SingleBody,
    book: RecipeBook,
    parts: Parts,
    context: Context,
    *,
    number: int = 1,
    line: int | None = None,
    pictures: Mapping[str, KnownInput] | None = None,
) -> CheckedRow | list[Complaint]:
    """The prompt as a row, screened, or everything that is wrong with it. Warnings are asked for on their own.

    `pictures` are the inputs that it is made from, by role.
    """
    pictures = pictures or {}
    sized = asked.width is not None or asked.height is not None
    options = book.pictured(book.options(asked), asked.task, pictures, sized=sized)
    work = options.megapixel_steps * asked.variants
    wrong = [
        *book.complaints(asked, options),
        *book.picture_complaints(options, pictures),
        *consent_complaints(parts.rules, context, options.task, pictures),
    ]
    wordless = is_wordless(options.task, book.card)
    if complaints := [*wrong, *_complaints(asked, work, parts.settings, wordless=wordless)]:
        return complaints
    texts = screen(parts.rules, context, asked.prompt, asked.negative_prompt, options.prompt_syntax)
    if isinstance(texts, list):
        return texts
    texts = with_inputs(texts, pictures.values())
    made_from = tuple((role, known.id) for role, known in pictures.items())
    sources = {"prompt": asked.prompt, "negative_prompt": asked.negative_prompt}
    own = RowOptions(options, asked.seed, asked.variants, asked.negative_prompt, inputs=made_from)
    read = book.texts_read(texts, options.prompt_syntax)
    return CheckedRow(number, line, asked.custom_id, texts, own, sources, texts_read=read)


def refused_warnings_of(row: CheckedRow, book: RecipeBook, parts: Parts, context: Context) -> list[Complaint]:
    """The warnings of one row that this installation takes as errors."""
    if not parts.settings.refused_warnings:
        return []
    return _refused(_findings(row, book, parts, context), parts)


def _findings(row: CheckedRow, book: RecipeBook, parts: Parts, context: Context) -> SubmissionFindings:
    found = SubmissionFindings(book, parts.rules, context)
    found.rows = 1
    found.add(row, book)
    return found


def _refused(found: SubmissionFindings, parts: Parts) -> list[Complaint]:
    return [
        replace(one, row=None, rows=None, count=None, field=_FIELDS.get(one.code, "prompt"))
        for one in refused_warnings(found.all_warnings(), parts.settings)
    ]


def _pictures(asked: SingleBody, parts: Parts, tenant: str) -> dict[str, KnownInput]:
    """The inputs that the request names, by role. Raises Problem for what is none of the tenant's."""
    named = {role: id for role in ROLES if (id := getattr(asked, role)) is not None}
    if not named:
        return {}
    ids = {role: uuid_or_not_found(id, "input") for role, id in named.items()}
    with parts.transaction(tenant) as conn:
        return demand_known(ids, known_inputs(conn, tenant, ids.values()))


def _complaints(
    asked: SingleBody, megapixel_steps: float, settings: Settings, *, wordless: bool
) -> Iterator[Complaint]:
    if not asked.prompt.strip() and not wordless:
        yield Complaint("empty_prompt", "the prompt is empty", "Say what should be in the picture.", field="prompt")
    if len(asked.prompt) > settings.max_prompt_chars:
        message = f"more than the {settings.max_prompt_chars:,} characters allowed"
        yield Complaint("prompt_too_long", message, "Shorten it.", field="prompt")
    if megapixel_steps > settings.max_megapixel_steps:
        message = (
            f"the request asks for {megapixel_steps:,.0f} megapixel steps; {settings.max_megapixel_steps:,} are allowed"
        )
        yield Complaint(
            "too_much_work", message, "Ask for fewer variants or steps, or smaller images.", field="variants"
        )
