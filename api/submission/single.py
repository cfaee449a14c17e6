"""A single prompt with its variants, checked against model, limits and policy."""

from __future__ import annotations

from collections.abc import Iterator

from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from api.schemas.requests import SingleRequest
from api.submission.findings import Findings
from api.submission.recipes import RecipeBook, choose_model
from api.submission.rows import Reading
from api.submission.screening import Screened, screen
from api.submission.store import Checked
from policy.rulebook.scope import Context
from workers.jobs.types import NewItem
from workers.recipes import Recipe, seed_for
from workers.settings import Settings


def check_single(asked: SingleRequest, parts: Parts, tenant: str) -> Checked:
    """The request, ready to be stored. Raises Problem listing every field that is wrong."""
    card = choose_model(parts.registry, asked.model)
    book = RecipeBook(card, parts.settings, parts.registry)
    sizes = book.sizes(asked)
    work = sizes.megapixel_steps * asked.variants
    complaints = [*book.complaints(asked), *_complaints(asked, work, parts.settings)]
    if complaints:
        detail = "; ".join(f"{c.field}: {c.message}" for c in complaints[:3])
        raise Problem("invalid_body", f"{detail}.", errors=complaints)
    context = Context(tenant, asked.name, card.name)
    screened = screen(parts.rules, context, asked.prompt, asked.negative_prompt)
    sources = {"prompt": asked.prompt, "negative_prompt": asked.negative_prompt}
    found = Findings(book, parts.rules, context, asked.variants)
    found.rows = 1
    found.add(
        Reading(1, None, asked.custom_id, asked.prompt, asked.negative_prompt, sizes, asked.seed, sources),
        screened.verdict,
    )
    recipe = book.recipe(sizes)
    return Checked(
        kind="single",
        asked=asked,
        template=asked.prompt,
        card=card,
        report=found.report(),
        items=lambda request_id: _items(asked, request_id, recipe, screened),
    )


def _complaints(asked: SingleRequest, megapixel_steps: float, settings: Settings) -> Iterator[Complaint]:
    if not asked.prompt.strip():
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


def _items(asked: SingleRequest, request_id: str, recipe: Recipe, screened: Screened) -> Iterator[NewItem]:
    for variant in range(asked.variants):
        yield NewItem(
            row=1,
            custom_id=asked.custom_id,
            variant=variant,
            prompt=screened.prompt,
            negative_prompt=screened.negative_prompt,
            seed=seed_for(request_id, asked.custom_id, variant) if asked.seed is None else asked.seed + variant,
            recipe=recipe,
            verdict=screened.verdict,
            sent=screened.sent,
        )
