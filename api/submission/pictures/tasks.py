"""Tasks: what is asked of a model with the pictures that come with it, and the size that fits its picture.

The pictures say the task where nobody names one. A picture that the task has no place for is an error, and so is a task
without its picture: nothing that is sent is dropped in silence.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

from api.edge.problems import Complaint
from api.submission.pictures.known import KnownInput
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.families.family import (
    CONTROL,
    EDIT,
    IMAGE_TO_IMAGE,
    INPAINT,
    REMOVE_BACKGROUND,
    REPLACE_BACKGROUND,
    SHOWN,
    STYLE,
    TEXT_TO_IMAGE,
    TRY_ON,
    UPSCALE,
)

if TYPE_CHECKING:
    from api.submission.recipes import SamplingOptions

TASKS = (
    *(TEXT_TO_IMAGE, IMAGE_TO_IMAGE, INPAINT, EDIT, STYLE, CONTROL, UPSCALE, TRY_ON),
    *(REMOVE_BACKGROUND, REPLACE_BACKGROUND),
    *("unconditional", "class-conditional"),
)
BACKGROUNDS = (REMOVE_BACKGROUND, REPLACE_BACKGROUND)
_NAMED = (*BACKGROUNDS, TRY_ON)  # never guessed from the pictures of a request
NEEDS: Mapping[str, tuple[str, ...]] = {
    IMAGE_TO_IMAGE: ("image",),
    INPAINT: ("image",),
    EDIT: ("image",),
    STYLE: ("reference_image",),
    CONTROL: ("control_image",),
    TRY_ON: ("image", "reference_image"),
    UPSCALE: ("image",),
    REMOVE_BACKGROUND: ("image",),
    REPLACE_BACKGROUND: ("image",),
}
ALSO_TAKES: Mapping[str, tuple[str, ...]] = {
    INPAINT: ("mask",),
    TRY_ON: ("mask",),
    REMOVE_BACKGROUND: ("mask",),
    REPLACE_BACKGROUND: ("mask",),
}
STANDARD, STRICT = "standard", "strict"  # locks of a product whose background is replaced
SMALLEST_SIDE = 64  # pixels, of a finished picture: policy.marks.watermark reads none below
STRENGTHS: Mapping[str, float] = {IMAGE_TO_IMAGE: 0.6, INPAINT: 1.0, TRY_ON: 1.0}  # what a request gets that names none


class Abilities(NamedTuple):
    """What stands beside a model."""

    factors: tuple[int, ...] = ()  # of its upscalers
    finds_products: bool = False
    shown: tuple[str, ...] = ()  # tasks for which a network shows it a reference picture

    @classmethod
    def of(cls, card: ModelCard, registry: Registry) -> Self:
        shown = (task for task in registry.references_of(card) if SHOWN[task] in card.tasks)
        return cls(tuple(registry.upscalers_of(card)), registry.mask_network is not None, tuple(sorted(shown)))


def tasks_of(card: ModelCard, beside: Abilities) -> tuple[str, ...]:
    """What a model can be asked for: what its weights serve; with an upscaler, the upscaling of a given picture; with a
    mask network, another background of one, or none; with a reference network, the tasks that it was trained for.
    """
    upscale = (UPSCALE,) if beside.factors and UPSCALE not in card.tasks else ()
    backgrounds = BACKGROUNDS if TEXT_TO_IMAGE in card.tasks else (REMOVE_BACKGROUND,)
    return (*card.tasks, *upscale, *(backgrounds if beside.finds_products else ()), *beside.shown)


def is_wordless(task: str | None, card: ModelCard) -> bool:
    """Whether nothing is drawn from words, so that a request may come without any."""
    call = card.family.calls.get(task or card.tasks[0])
    reads = call is None or call.takes("prompt") or call.takes("class_label")
    return not reads or is_undrawn(task, card)


def is_undrawn(task: str | None, card: ModelCard) -> bool:
    """Whether the model's own pipeline draws nothing: a product is cut out, or a picture is enlarged as it is."""
    return task == REMOVE_BACKGROUND or (task == UPSCALE and UPSCALE not in card.tasks)


def task_for(asked: str | None, roles: Collection[str], card: ModelCard, beside: Abilities) -> str:
    """The task that is named, or the first of the model's that takes just these pictures."""
    if asked:
        return asked
    if not roles:
        return card.tasks[0]
    fits = [task for task in tasks_of(card, beside) if task not in _NAMED and not list(_misfits(task, roles))]
    wanted = INPAINT if "mask" in roles else CONTROL if "control_image" in roles else IMAGE_TO_IMAGE
    return wanted if wanted in fits or not fits else fits[0]


def with_pictures(
    options: SamplingOptions,
    card: ModelCard,
    beside: Abilities,
    pictures: Mapping[str, KnownInput],
    *,
    sized: bool,
) -> SamplingOptions:
    """The options with what the task and its picture give in the gaps: strength, size, factor. Pure.

    `sized` says that the request names a size itself.
    """
    task, factors = options.task, beside.factors
    if options.strength is None and task in STRENGTHS:
        options = options._replace(strength=STRENGTHS[task])
    image = pictures.get("image") or pictures.get("control_image")
    size = (image.width, image.height) if image and image.width and image.height else None
    if task == UPSCALE and UPSCALE not in card.tasks:
        options = options._replace(num_inference_steps=1)
        if options.upscale == 1 and factors:
            options = options._replace(upscale=min(factors))
        return options._replace(width=size[0], height=size[1]) if size else options
    if task == REMOVE_BACKGROUND:
        own = options._replace(num_inference_steps=1)
        return own if sized or size is None else own._replace(width=size[0], height=size[1])
    if size is None or task not in NEEDS:
        return options
    if not sized:
        width, height = fitting_size(card, *size)
        options = options._replace(width=width, height=height)
    return _on_canvas(options, size, factors) if task == REPLACE_BACKGROUND else options


def _on_canvas(options: SamplingOptions, size: tuple[int, int], factors: Collection[int]) -> SamplingOptions:
    """The finished picture has the size of the given one; its ground is enlarged by the least factor that covers it."""
    wanted = max(size[0] / options.width, size[1] / options.height)
    if options.upscale == 1 and wanted > 1 and factors:
        options = options._replace(upscale=min((one for one in factors if one >= wanted), default=max(factors)))
    return options._replace(canvas=options.canvas or size)


def fitting_size(card: ModelCard, width: int, height: int) -> tuple[int, int]:
    """The size nearest to a picture's shape that the model draws, with about as many pixels as its own size."""
    if not card.family.call_for(card.pipeline).takes("width"):
        return card.width, card.height
    area = min(card.width * card.height, card.max_pixels)
    scale = math.sqrt(area / (width * height))
    sides = []
    for side in (width * scale, height * scale):
        multiple = round(side / card.size_multiple) * card.size_multiple
        sides.append(max(_up(card.min_side, card.size_multiple), min(multiple, card.max_side)))
    while sides[0] * sides[1] > card.max_pixels:
        longer = sides.index(max(sides))
        sides[longer] -= card.size_multiple
    return sides[0], sides[1]


def complaints(
    options: SamplingOptions, card: ModelCard, beside: Abilities, pictures: Mapping[str, KnownInput]
) -> Iterator[Complaint]:
    """What is wrong with the task and its pictures, by field."""
    task, available = options.task, tasks_of(card, beside)
    if task not in available:
        yield Complaint(
            "model_limit", f"{card.name} has no task {task!r}", f"It has: {', '.join(available)}.", field="task"
        )
        return
    yield from _misfits(task, pictures)
    image, mask = pictures.get("image"), pictures.get("mask")
    of_its_size = task in BACKGROUNDS or is_undrawn(task, card)
    if of_its_size and image and not image.width:
        message = f"the size of input {image.id} is not known yet"
        yield Complaint("input_size", message, "Wait until it is ready, then send the request.", field="image")
    if task in BACKGROUNDS and image and image.width and image.height:
        yield from _backgrounds(options, image.width, image.height)
    if image and mask and image.width and mask.width and (image.width, image.height) != (mask.width, mask.height):
        message = f"the mask has {mask.width} x {mask.height} pixels, its image {image.width} x {image.height}"
        yield Complaint("mask_size", message, "Send a mask of the image's own size.", field="mask")
    yield from _strength(options)
    yield from _product(options, card)
    yield from _finished(options, card, beside, (image.width, image.height) if image else None)
    if options.reference_scale is not None and task not in SHOWN:
        message = f"{task} has no place for a reference_scale: no reference picture is shown"
        yield Complaint("model_limit", message, "Leave it out.", field="reference_scale")


def _misfits(task: str, roles: Collection[str]) -> Iterator[Complaint]:
    needed = NEEDS.get(task, ())
    for role in needed:
        if role not in roles:
            yield Complaint("picture_missing", f"{task} needs a picture: {role}", "Name an input.", field=role)
    for role in roles:
        if role not in (*needed, *ALSO_TAKES.get(task, ())):
            remedy = "Leave it out, or name a task that takes it."
            yield Complaint("picture_not_used", f"{task} has no place for {role}", remedy, field=role)


def _backgrounds(options: SamplingOptions, width: int, height: int) -> Iterator[Complaint]:
    """What a finished picture of this size cannot be, and what has no place where nothing is drawn."""
    if min(width, height) < SMALLEST_SIDE:
        message = f"the image has {width} x {height} pixels; marks need {SMALLEST_SIDE} on each side"
        yield Complaint("input_size", message, "Send a larger picture.", field="image")
    if options.task != REMOVE_BACKGROUND:
        return
    if (options.width, options.height) != (width, height):
        message = f"a cut-out has the size of its image, {width} x {height}"
        yield Complaint("model_limit", message, "Leave width and height out; channels have sizes.", field="width")
    for field, asked in (("upscale", options.upscale != 1), ("loras", bool(options.loras))):
        if asked:
            message = f"{options.task} draws nothing, so it has no place for {field}"
            yield Complaint("model_limit", message, "Leave it out.", field=field)


def _product(options: SamplingOptions, card: ModelCard) -> Iterator[Complaint]:
    """What has a place where a product is put on a new ground, and nowhere else."""
    for field, asked in (("lock", options.lock), ("ground", options.ground)):
        if asked and options.task != REPLACE_BACKGROUND:
            message = f"{options.task} has no place for {field}: only {REPLACE_BACKGROUND} puts a product on a ground"
            yield Complaint("model_limit", message, "Leave it out.", field=field)
    if options.task == REPLACE_BACKGROUND and '"around":true' in options.ground and INPAINT not in card.tasks:
        message = f"{card.name} cannot inpaint, so it draws no ground around a product"
        yield Complaint("model_limit", message, "Leave around out, or name another model.", field="ground")


def _finished(
    options: SamplingOptions, card: ModelCard, beside: Abilities, image: tuple[int | None, int | None] | None
) -> Iterator[Complaint]:
    """What has a place where a model draws the whole picture, and nowhere else."""
    given = is_undrawn(options.task, card)
    other = options.canvas != image if options.task == REPLACE_BACKGROUND else given
    if options.canvas and other:
        message = f"a picture of {options.task} has the size of its image"
        yield Complaint("model_limit", message, "Leave canvas out; channels have sizes.", field="canvas")
    if options.background and (given or options.task == REPLACE_BACKGROUND):
        message = f"{options.task} has no place for background"
        yield Complaint("model_limit", message, f"Leave it out; {REMOVE_BACKGROUND} cuts out.", field="background")
    elif options.background and not beside.finds_products:
        message = "no mask network is installed, so nothing is cut out here"
        yield Complaint("model_limit", message, "Leave it out.", field="background")


def _strength(options: SamplingOptions) -> Iterator[Complaint]:
    if options.strength is None:
        return
    if options.task not in STRENGTHS:
        message = f"{options.task} has no place for a strength"
        yield Complaint("model_limit", message, "Leave it out.", field="strength")
    elif int(options.num_inference_steps * options.strength) < 1:
        steps = options.num_inference_steps
        message = f"strength {options.strength:g} of {steps} steps leaves none: the picture would come back as it is"
        yield Complaint("model_limit", message, f"Ask for at least {1 / steps:.2g}, or more steps.", field="strength")


def _up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple
