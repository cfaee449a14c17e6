"""The models this installation may use: one card per model, saying what it is, what it allows and what it can do.

A card pins its model by content: it lists every file with its digest, and `revision` is the digest of
that list. Reading cards is light; the bytes themselves are checked where a pipeline is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from workers.errors import CardInvalid, ModelMissing
from workers.sampling.contents import CARD, ModelFile, revision_of

# Only schedulers whose result is a function of latents, seed and steps alone, and that all take `from_config`.
SchedulerName = Literal[
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "LCMScheduler",
    "UniPCMultistepScheduler",
]
Text = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=8, le=16_384)]

_STRICT = ConfigDict(extra="forbid", strict=False)


class Problem(NamedTuple):
    """Something a model cannot do: the field that asks for it, and what to ask for instead."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's files are: a folder (relative to the card), or a repository on the hub at one commit."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    folder: str | None = None
    hub: Annotated[str | None, Field(pattern=r"^[\w.-]+/[\w.-]+$")] = None
    commit: Annotated[str | None, Field(pattern="^[0-9a-f]{40}$")] = None
    variant: Annotated[str | None, Field(pattern=r"^\w+$")] = None  # "fp16": which of the repository's weights

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.hub is None):
            raise ValueError("name either a folder or a hub repository")
        if (self.hub is None) != (self.commit is None):
            raise ValueError("a hub repository is pinned by its commit (40 hex digits), a folder has none")


@dataclass(frozen=True, slots=True)
class TrainingPictures:
    """One source of the pictures a model was trained on."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: Text
    licence: Text
    copyright: Text
    use: Text


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is, may be used for, and can do. Sides in pixels."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    # What it is.
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    title: Text
    description: Text
    licence: Text
    allowed_use: Text
    training_data: Text
    training_pictures: tuple[TrainingPictures, ...]
    limits: tuple[Text, ...]

    # Which bytes it is.
    source: Source
    pipeline: Literal["StableDiffusionPipeline"]
    revision: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]
    home: Path  # folder of the card

    # What it can do.
    width: Side
    height: Side
    min_side: Side
    max_side: Side
    max_pixels: Annotated[int, Field(ge=64)]
    num_inference_steps: Annotated[int, Field(ge=1)]
    max_num_inference_steps: Annotated[int, Field(ge=1, le=1000)]
    guidance_scale: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    max_guidance_scale: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    scheduler: SchedulerName
    schedulers: Annotated[tuple[SchedulerName, ...], Field(min_length=1)]
    guidance_rescale: Annotated[float, Field(ge=0, le=1)] = 0.0
    size_multiple: Annotated[int, Field(ge=1)] = 8
    accelerator_dtype: Literal["float16", "bfloat16", "float32"] = "float16"  # a CPU always computes in float32
    queue: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = "gpu"

    # What it has seen; empty for a general model.
    knows: tuple[Text, ...] = field(default=())
    colours: tuple[Text, ...] = field(default=())
    backgrounds: tuple[Text, ...] = field(default=())

    def __post_init__(self) -> None:
        if len({file.path for file in self.files}) != len(self.files):
            raise ValueError("files: a path is listed twice")
        if self.revision != revision_of(self.files):
            raise ValueError(f"revision: the listed files make {revision_of(self.files)}; run `presswork models hash`")
        own = self.problems(
            width=self.width,
            height=self.height,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler,
        )
        if own:
            raise ValueError(f"{own[0].field}: its own default is outside its own limits: {own[0].message}")

    def problems(
        self,
        *,
        width: int,
        height: int,
        num_inference_steps: int,
        guidance_scale: float,
        scheduler: str,
        negative_prompt: str = "",
    ) -> list[Problem]:
        """Everything about these wishes that the model cannot do; an empty list means it can. Pure."""
        found = [Problem(*p) for side in (("width", width), ("height", height)) for p in self._side_problems(*side)]
        if width * height > self.max_pixels and not found:
            message = f"{width} x {height} is {width * height} pixels; {self.name} makes up to {self.max_pixels}"
            found.append(Problem("width", message))
        if not 1 <= num_inference_steps <= self.max_num_inference_steps:
            message = (
                f"{num_inference_steps} is outside 1 to {self.max_num_inference_steps}, the steps {self.name} takes"
            )
            found.append(Problem("num_inference_steps", message))
        if not 0 <= guidance_scale <= self.max_guidance_scale:  # written so that NaN fails it
            message = f"{guidance_scale} is outside 0 to {self.max_guidance_scale:g}, what {self.name} takes"
            found.append(Problem("guidance_scale", message))
        elif negative_prompt and guidance_scale <= 1:
            message = "a negative prompt has no effect at guidance_scale 1 or below; raise that or leave this out"
            found.append(Problem("negative_prompt", message))
        if scheduler not in self.schedulers:
            message = f"{scheduler!r} is not a scheduler of {self.name}; it has {', '.join(self.schedulers)}"
            found.append(Problem("scheduler", message))
        return found

    def _side_problems(self, name: str, pixels: int) -> list[Problem]:
        if not self.min_side <= pixels <= self.max_side:
            return [
                Problem(name, f"{pixels} is outside {self.min_side} to {self.max_side}, the sides {self.name} makes")
            ]
        if pixels % self.size_multiple:
            lower = pixels - pixels % self.size_multiple
            near = f"{lower} or {lower + self.size_multiple}"
            return [Problem(name, f"{pixels} is not a multiple of {self.size_multiple}; {near} would be")]
        return []


@dataclass(frozen=True, slots=True)
class Registry:
    """The cards found below one directory, by name."""

    cards: Mapping[str, ModelCard]

    @classmethod
    def load(cls, models_dir: Path) -> Registry:
        """Reads models_dir/<name>/card.yaml. Raises ModelMissing (no card at all) and CardInvalid."""
        paths = sorted(models_dir.glob(f"*/{CARD}"))
        if not paths:
            raise ModelMissing(f"no model card found: {models_dir}/<name>/{CARD}")
        return cls({path.parent.name: read_card(path) for path in paths})

    def names(self) -> tuple[str, ...]:
        return tuple(self.cards)

    def get(self, name: str) -> ModelCard:
        """The card of this name. Raises ModelMissing, naming the models there are."""
        if name not in self.cards:
            raise ModelMissing(f"there is no model {name!r}; there are: {', '.join(self.cards)}")
        return self.cards[name]


def read_card(path: Path) -> ModelCard:
    """One card, checked. Raises CardInvalid naming the file and every field that is wrong."""
    try:
        written = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CardInvalid(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(written, dict):
        raise CardInvalid(f"{path}: a card is a mapping of fields, this is a {type(written).__name__}")
    try:
        card = _CARD.validate_python({**written, "home": path.parent})
    except ValidationError as error:
        raise CardInvalid(f"{path}: " + "; ".join(_sentence(e["loc"], e["msg"]) for e in error.errors())) from error
    if card.name != path.parent.name:
        raise CardInvalid(f"{path}: name: {card.name!r} is not the name of its folder, {path.parent.name!r}")
    return card


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(part) for part in location)
    return f"{place}: {message}" if place else message.removeprefix("Value error, ")


_CARD = TypeAdapter(ModelCard)
