"""Image request of the OpenAI API in our own terms. What cannot be had is an error that names the field, and what is
taken as another value than was sent is told in `notes`; nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.edge.problems import Complaint, Problem
from api.openai.drawn_size import DrawnSize, drawn_size
from api.openai.pictures import EditPicture
from api.schemas.channels import ChannelBody
from api.schemas.images import ImagesBody, NoteReply
from api.schemas.requests import SingleBody
from policy.marks.channels.channel import MIN_QUALITY
from policy.marks.renditions import MASK, ORIGINAL, RENDITIONS
from workers.jobs.types import StoredRendition
from workers.sampling.cards.registry import ModelCard, Registry
from workers.settings import Settings

FORMATS = {"png": ORIGINAL, "jpeg": "jpeg", "webp": "webp"}  # theirs -> our rendition
_BEST = 100  # quality: the default, our everyday file
_LINKED = "dall-e-"  # how the names of models begin whose answers are links where nothing else is asked for
_STEPS = {"low": 0.5, "high": 1.5, "hd": 1.5, "xhigh": 2.0}  # times the model's own


class SentEdit(NamedTuple):
    """An edit: the fields of a generation, and its pictures by role."""

    asked: ImagesBody
    pictures: Mapping[str, EditPicture]


def file_of(asked: ImagesBody, files: Sequence[StoredRendition]) -> StoredRendition:
    """The one of an image's files that the answer gives out: the channel of its request, else the rendition."""
    rendition = FORMATS[asked.output_format or "png"]
    own = (file for file in files if file.name not in (*RENDITIONS, MASK))
    return next(own, None) or next(file for file in files if file.name == rendition)


def gives_links(asked: ImagesBody) -> bool:
    """Whether images are answered as links: as it was asked for, or as models of that name always did."""
    if asked.response_format is not None:
        return asked.response_format == "url"
    return (asked.model or "").startswith(_LINKED)


def notes_of(asked: ImagesBody) -> list[NoteReply]:
    """What was taken as another value than was sent; everything else is as it was asked for, or an error."""
    found = []
    if asked.moderation == "low":
        found.append(("moderation", "the policy of this installation applies to every request, as with auto"))
    if asked.style is not None:
        found.append(("style", "only models that are retired had it; say it in the prompt"))
    if asked.partial_images:
        found.append(("partial_images", "none is sent: no picture leaves before it is screened"))
    if asked.output_compression not in (None, _BEST) and not _is_compressed(asked):
        found.append(("output_compression", "a file with transparency has our everyday quality"))
    elif _quality(asked) != asked.output_compression:
        found.append(("output_compression", f"{MIN_QUALITY} was taken: below it the watermark is lost too often"))
    return [NoteReply(param=param, message=message) for param, message in found]


def single_of(
    asked: ImagesBody,
    card: ModelCard,
    registry: Registry,
    *,
    settings: Settings,
    pictures: Mapping[str, str] | None = None,
) -> SingleBody:
    """The same request as POST /v1/requests takes it; of an edit, with the ids of its `pictures` by role.

    Raises Problem listing every wish that cannot be had, and RequestValidationError.
    """
    complaints = list(_complaints(asked))
    size = drawn_size(asked.size or "auto", card, registry, max_pixels=settings.max_pixels)
    if isinstance(size, Complaint):
        complaints.append(size)
        size = DrawnSize(card.width, card.height, 1)
    of_picture = bool(pictures) and (asked.size or "auto") == "auto"  # then it is drawn in the picture's own shape
    if of_picture and _is_compressed(asked):
        message = "the quality of a file can be chosen only where the size is"
        complaints.append(Complaint("not_available", message, "Send size as well.", field="output_compression"))
    if complaints:
        detail = "; ".join(f"{c.field}: {c.message}" for c in complaints)
        raise Problem("invalid_body", f"{detail}.", errors=complaints)
    try:
        single = _body(asked, card, size, settings.max_steps)
        shape = {"width": None, "height": None} if of_picture else {}
        return single.model_copy(update={**shape, **(pictures or {}), "strength": asked.strength})
    except ValidationError as wrong:  # bounds of ours that are narrower than theirs, such as a prompt's length
        found = [{**error, "loc": ("body", *error["loc"])} for error in wrong.errors()]
        raise RequestValidationError(found) from wrong


def _body(asked: ImagesBody, card: ModelCard, size: DrawnSize, max_steps: int) -> SingleBody:
    channel = _channel(asked, size)
    who = {"user": asked.user, "safety_identifier": asked.safety_identifier}
    return SingleBody(
        prompt=asked.prompt,
        model=card.name,
        width=size.width,
        height=size.height,
        upscale=size.factor,
        canvas=list(size.canvas) if size.canvas else None,
        background="transparent" if asked.background == "transparent" else None,
        num_inference_steps=asked.num_inference_steps or _steps(asked.quality or "auto", card, max_steps),
        variants=asked.n or 1,
        renditions=(ORIGINAL,) if channel else tuple(dict.fromkeys((ORIGINAL, FORMATS[_format(asked)]))),
        channels=[channel] if channel else [],
        negative_prompt=asked.negative_prompt,
        seed=asked.seed,
        guidance_scale=asked.guidance_scale,
        scheduler=asked.scheduler,
        loras=asked.loras,
        prompt_syntax=asked.prompt_syntax,
        priority=asked.priority,
        metadata=asked.metadata | {name: value for name, value in who.items() if value is not None},
    )


def _channel(asked: ImagesBody, size: DrawnSize) -> ChannelBody | None:
    """The whole image in the quality that was asked for, as a file of its own with its own marks."""
    if not _is_compressed(asked):
        return None
    width, height = size.shown
    name = f"{_format(asked)}-{_quality(asked)}-{width}x{height}"
    return ChannelBody(name=name, size=[width, height], format=_format(asked), quality=_quality(asked))


def _format(asked: ImagesBody) -> Literal["png", "jpeg", "webp"]:
    return asked.output_format or "png"


def _is_compressed(asked: ImagesBody) -> bool:
    """Whether the answer has a file of a quality of its own; one with transparency has our everyday quality."""
    return asked.output_compression not in (None, _BEST) and asked.background != "transparent"


def _quality(asked: ImagesBody) -> int | None:
    asked_for = asked.output_compression
    return None if asked_for is None else max(MIN_QUALITY, asked_for)


def _complaints(asked: ImagesBody) -> list[Complaint]:
    found = []
    if asked.background == "transparent" and _format(asked) == "jpeg":
        found.append(("background", "JPEG has no transparency", "Ask for png or webp."))
    if asked.output_compression not in (None, _BEST) and _format(asked) == "png":
        found.append(("output_compression", "PNG has no quality", "Leave it out, or ask for jpeg or webp."))
    if asked.partial_images and not asked.stream:
        found.append(("partial_images", "partial images come in a stream only", "Send stream as well."))
    return [Complaint("not_available", message, remedy, field=field) for field, message, remedy in found]


def _steps(quality: str, card: ModelCard, max_steps: int) -> int:
    most = min(card.max_num_inference_steps, max_steps)
    if quality == "max":
        return most
    return max(1, min(most, round(card.num_inference_steps * _STEPS.get(quality, 1.0))))
