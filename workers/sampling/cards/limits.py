"""Limits of a model: what its card and its family cannot do of the options of a request, by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from workers.sampling.cards.registry import ModelCard


# What only a person knows of a model. A card says "unknown" where nobody stated it.
STATED = ("licence", "training_data_licence", "training_data", "owner", "allowed_use")


class ModelLimit(NamedTuple):
    """Something a model cannot do: the field that asks for it, and what to ask for instead."""

    field: str
    message: str


def limits_of(
    card: ModelCard,
    *,
    width: int,
    height: int,
    num_inference_steps: int,
    guidance_scale: float,
    scheduler: str,
    negative_prompt: str,
) -> list[ModelLimit]:
    """Everything about these options that the model cannot do. Pure."""
    found = [*_size(card, width, height)]
    if not 1 <= num_inference_steps <= card.max_num_inference_steps:
        message = f"{num_inference_steps} is outside 1 to {card.max_num_inference_steps}, the steps {card.name} takes"
        found.append(ModelLimit("num_inference_steps", message))
    found += _guidance(card, guidance_scale, negative_prompt)
    if scheduler not in card.schedulers:
        message = f"{scheduler!r} is not a scheduler of {card.name}; it has {', '.join(card.schedulers)}"
        found.append(ModelLimit("scheduler", message))
    return found


def not_usable(card: ModelCard, today: date, *, expires: date | None, require_stated: bool) -> str | None:
    """Why nobody may use this model today, or None: it expired, or nobody stated what has to be stated here."""
    if expires is not None and today > expires:
        return f"{card.name} may be used until {expires.isoformat()}, which is over"
    unknown = unstated(card)
    if require_stated and unknown:
        return f"nobody stated {', '.join(unknown)} of {card.name}, and this installation requires it"
    return None


def unstated(card: ModelCard) -> list[str]:
    """The fields that only a person knows and that nobody stated."""
    return [field for field in STATED if getattr(card, field).strip().lower() == "unknown"]


def _size(card: ModelCard, width: int, height: int) -> Iterator[ModelLimit]:
    sides = (("width", width, card.width), ("height", height, card.height))
    fine = True
    for name, pixels, own in sides:
        problem = _side(card, name, pixels, own)
        if problem is not None:
            fine = False
            yield ModelLimit(name, problem)
    if fine and width * height > card.max_pixels:
        yield ModelLimit(
            "width", f"{width} x {height} is {width * height} pixels; {card.name} makes up to {card.max_pixels}"
        )


def _side(card: ModelCard, name: str, pixels: int, own: int) -> str | None:
    if not _takes(card, name):
        return None if pixels == own else f"{card.name} has no place for a {name}: it draws {own} only"
    if not card.min_side <= pixels <= card.max_side:
        return f"{pixels} is outside {card.min_side} to {card.max_side}, the sides {card.name} makes"
    if pixels % card.size_multiple:
        lower = pixels - pixels % card.size_multiple
        return f"{pixels} is not a multiple of {card.size_multiple}; {lower} or {lower + card.size_multiple} would be"
    return None


def _guidance(card: ModelCard, guidance_scale: float, negative_prompt: str) -> Iterator[ModelLimit]:
    in_range = 0 <= guidance_scale <= card.max_guidance_scale  # written so that NaN fails it
    if not _takes(card, "guidance_scale") and guidance_scale != card.guidance_scale:
        yield ModelLimit("guidance_scale", f"{card.name} has no place for guidance; leave it out")
    elif not in_range:
        message = f"{guidance_scale} is outside 0 to {card.max_guidance_scale:g}, what {card.name} takes"
        yield ModelLimit("guidance_scale", message)
    if negative_prompt and not _takes(card, "negative_prompt"):
        yield ModelLimit("negative_prompt", f"{card.name} has no place for a negative prompt; leave it out")
    elif negative_prompt and in_range and guidance_scale <= 1:
        message = "a negative prompt has no effect at guidance_scale 1 or below; raise that or leave this out"
        yield ModelLimit("negative_prompt", message)


def _takes(card: ModelCard, option: str) -> bool:
    return card.family.call_for(card.pipeline).takes(option)
