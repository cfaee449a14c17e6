"""Image request of the OpenAI API in our own terms. What cannot be had is an error that names the field; nothing is
dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.edge.problems import Complaint, Problem
from api.openai.pictures import EditPicture
from api.schemas.channels import ChannelBody
from api.schemas.images import ImagesBody
from api.schemas.requests import SingleBody
from policy.marks.channels.channel import MIN_QUALITY
from workers.sampling.cards.registry import ModelCard, Registry

FORMATS = {"png": "original", "jpeg": "jpeg", "webp": "webp"}  # theirs -> our rendition
_BEST = 100  # quality: the default, our everyday file
_STEPS = {"low": 0.5, "high": 1.5, "hd": 1.5, "xhigh": 2.0}  # times the model's own


class SentEdit(NamedTuple):
    """An edit: the fields of a generation, and its pictures by role."""

    asked: ImagesBody
    pictures: Mapping[str, EditPicture]


def file_name_of(asked: ImagesBody) -> str:
    """The file that the answer gives out: a rendition; of a request that chooses a quality, a channel of that name."""
    if is_compressed(asked):
        return f"{asked.output_format}-{asked.output_compression}"
    return FORMATS[asked.output_format or "png"]


def is_compressed(asked: ImagesBody) -> bool:
    return asked.output_compression not in (None, _BEST)


def single_of(
    asked: ImagesBody,
    card: ModelCard,
    registry: Registry,
    *,
    max_steps: int,
    pictures: Mapping[str, str] | None = None,
) -> SingleBody:
    """The same request as POST /v1/requests takes it; of an edit, with the ids of its `pictures` by role.

    Raises Problem listing every wish that cannot be had, and RequestValidationError.
    """
    complaints = list(_complaints(asked))
    width, height, factor = _size(asked.size or "auto", card, registry, complaints)
    of_picture = bool(pictures) and (asked.size or "auto") == "auto"  # then it is drawn in the picture's own shape
    if of_picture and is_compressed(asked):
        message = "the quality of a file can be chosen only where the size is"
        complaints.append(Complaint("not_available", message, "Send size as well.", field="output_compression"))
    if complaints:
        detail = "; ".join(f"{c.field}: {c.message}" for c in complaints)
        raise Problem("invalid_body", f"{detail}.", errors=complaints)
    try:
        single = _body(asked, card, (width, height, factor), max_steps)
        shape = {"width": None, "height": None} if of_picture else {}
        return single.model_copy(update={**shape, **(pictures or {}), "strength": asked.strength})
    except ValidationError as wrong:  # bounds of ours that are narrower than theirs, such as a prompt's length
        found = [{**error, "loc": ("body", *error["loc"])} for error in wrong.errors()]
        raise RequestValidationError(found) from wrong


def _body(asked: ImagesBody, card: ModelCard, size: tuple[int, int, int], max_steps: int) -> SingleBody:
    width, height, factor = size
    compressed: list[ChannelBody | str] = (
        [_compressed(asked, width * factor, height * factor)] if is_compressed(asked) else []
    )
    who = {"user": asked.user, "safety_identifier": asked.safety_identifier}
    return SingleBody(
        prompt=asked.prompt,
        model=card.name,
        width=width,
        height=height,
        upscale=factor,
        num_inference_steps=asked.num_inference_steps or _steps(asked.quality or "auto", card, max_steps),
        variants=asked.n or 1,
        renditions=("original",) if compressed else tuple(dict.fromkeys(("original", file_name_of(asked)))),
        channels=compressed,
        negative_prompt=asked.negative_prompt,
        seed=asked.seed,
        guidance_scale=asked.guidance_scale,
        scheduler=asked.scheduler,
        loras=asked.loras,
        priority=asked.priority,
        metadata=asked.metadata | {name: value for name, value in who.items() if value is not None},
    )


def _compressed(asked: ImagesBody, width: int, height: int) -> ChannelBody:
    """The whole image in the quality that was asked for, as a file of its own with its own marks."""
    name, quality = file_name_of(asked), asked.output_compression
    return ChannelBody(name=name, size=[width, height], format=asked.output_format, quality=quality)


def _complaints(asked: ImagesBody) -> list[Complaint]:
    found = []
    if asked.background == "transparent":
        found.append(("background", "transparent backgrounds are not there yet", "Send opaque or auto."))
    if asked.output_compression is not None and asked.output_compression < MIN_QUALITY:
        message = f"below {MIN_QUALITY} the watermark is lost too often"
        found.append(("output_compression", message, f"Send {MIN_QUALITY} to {_BEST}."))
    if asked.output_compression is not None and (asked.output_format or "png") == "png":
        found.append(("output_compression", "PNG has no quality", "Leave it out, or ask for jpeg or webp."))
    if asked.moderation == "low":
        found.append(("moderation", "the policy of this installation applies to every request", "Leave it out."))
    if asked.style is not None:
        found.append(("style", "only models that are retired had it", "Say it in the prompt."))
    if asked.partial_images and not asked.stream:
        found.append(("partial_images", "partial images come in a stream only", "Send stream as well."))
    return [Complaint("not_available", message, remedy, field=field) for field, message, remedy in found]


def _size(size: str, card: ModelCard, registry: Registry, complaints: list[Complaint]) -> tuple[int, int, int]:
    """What is drawn, and how often its sides are enlarged: the least that gives this size."""
    if size == "auto":
        return card.width, card.height, 1
    width, height = map(int, size.split("x"))
    factors = (1, *sorted(registry.upscalers_of(card)))
    for factor in factors:
        if width % factor == 0 and height % factor == 0 and _draws(card, width // factor, height // factor):
            return width // factor, height // factor, factor
    best = ", ".join(f"{card.width * factor}x{card.height * factor}" for factor in factors)
    message = f"{card.name} makes no image of {size}"
    complaints.append(
        Complaint("model_limit", message, f"It is at its best at {best}; auto is the first.", field="size")
    )
    return card.width, card.height, 1


def _draws(card: ModelCard, width: int, height: int) -> bool:
    sides = all(card.min_side <= side <= card.max_side and side % card.size_multiple == 0 for side in (width, height))
    return sides and width * height <= card.max_pixels


def _steps(quality: str, card: ModelCard, max_steps: int) -> int:
    most = min(card.max_num_inference_steps, max_steps)
    if quality == "max":
        return most
    return max(1, min(most, round(card.num_inference_steps * _STEPS.get(quality, 1.0))))
