"""Model registry: one card a model, saying what it is, what it allows and what it can do.

A card pins its model by content: it lists every file with its digest, and `revision` is the digest of
that list. Reading cards is light; the bytes themselves are checked where a pipeline is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field

from workers.errors import CardInvalid, ModelMissing
from workers.sampling.cards.contents import CARD, ModelFile, ModelSource, revision_of
from workers.sampling.cards.extras import (
    LORAS,
    STRICT,
    UPSCALERS,
    AdapterCard,
    Name,
    Pin,
    Revision,
    Text,
    TrainingPictures,
    UpscalerCard,
    read,
    read_all,
    read_extras,
)
from workers.sampling.cards.limits import ModelLimit, limits_of
from workers.sampling.cards.mask_networks import NETWORK, MaskNetworkCard, read_mask_network
from workers.sampling.cards.references import ReferenceCard, read_references
from workers.sampling.families.family import Family
from workers.sampling.families.schedulers import ALL, kinds_of
from workers.sampling.families.table import family_of, pipelines


def _known_pipeline(name: str) -> str:
    if name not in pipelines():
        raise ValueError(f"{name!r} belongs to no family of docs/models.md; those are {', '.join(pipelines())}")
    return name


def _known_scheduler(name: str) -> str:
    if name not in ALL:
        raise ValueError(f"{name!r} is none of {', '.join(ALL)}")
    return name


PipelineName = Annotated[str, AfterValidator(_known_pipeline)]
SchedulerName = Annotated[str, AfterValidator(_known_scheduler)]
C = TypeVar("C")
Side = Annotated[int, Field(ge=8, le=16_384)]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is, may be used for, and can do. Sides in pixels."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    # What it is.
    name: Name
    title: Text
    description: Text
    licence: Text
    allowed_use: Text
    training_data: Text
    training_pictures: tuple[TrainingPictures, ...]
    limits: tuple[Text, ...]

    # Which bytes it is.
    source: ModelSource
    pipeline: PipelineName
    revision: Revision
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
    scheduler: SchedulerName
    schedulers: Annotated[tuple[SchedulerName, ...], Field(min_length=1)]
    guidance_scale: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    max_guidance_scale: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    guidance_rescale: Annotated[float, Field(ge=0, le=1)] = 0.0
    size_multiple: Annotated[int, Field(ge=1)] = 8
    accelerator_dtype: Literal["float16", "bfloat16", "float32"] = "bfloat16"  # a CPU always computes in float32
    training_data_licence: Text = "unknown"  # what nobody stated is unknown
    owner: Text = "unknown"  # who answers for its use
    expires: date | None = None  # the last day on which it may be used
    queue: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = "gpu"
    upscalers: tuple[Pin, ...] = field(default=())  # what may enlarge its pictures; cards below models/upscalers

    # What it has seen; empty for a general model.
    knows: tuple[Text, ...] = field(default=())
    synonyms: Mapping[Text, tuple[Text, ...]] = field(default_factory=dict)  # by name, with plurals
    colours: tuple[Text, ...] = field(default=())
    recolours: tuple[Text, ...] = field(
        default=()
    )  # the things that take another colour than their own; empty: not said
    backgrounds: tuple[Text, ...] = field(default=())
    words: tuple[Text, ...] = field(default=())  # sizes, places, styles, grounds
    filler: tuple[Text, ...] = field(default=())  # changes nothing
    languages: tuple[Text, ...] = field(default=())  # that prompts are read in

    # How it came to be, for people and auditors.
    training: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if len({file.path for file in self.files}) != len(self.files):
            raise ValueError("files: a path is listed twice")
        if self.revision != revision_of(self.files):
            raise ValueError(f"revision: the listed files make {revision_of(self.files)}; run `presswork models hash`")
        if unknown := set(self.synonyms) - set(self.knows):
            raise ValueError(f"synonyms: {sorted(unknown)[0]!r} is not among what it knows")
        for name in (self.scheduler, *self.schedulers):
            if name not in self.family.schedulers:
                raise ValueError(
                    f"schedulers: {name} is for models that predict {kinds_of(name)}; {self.pipeline} takes"
                    f" {', '.join(self.family.schedulers)}"
                )
        own = self.problems(
            width=self.width,
            height=self.height,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler,
        )
        if own:
            raise ValueError(f"{own[0].field}: its own default is outside its own limits: {own[0].message}")

    @property
    def family(self) -> Family:
        """How diffusers serves its architecture."""
        return family_of(self.pipeline)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What its weights can be used for; the first is what a request gets that names none."""
        return self.family.tasks_of(self.pipeline)

    def problems(
        self,
        *,
        width: int,
        height: int,
        num_inference_steps: int,
        guidance_scale: float,
        scheduler: str,
        negative_prompt: str = "",
    ) -> list[ModelLimit]:
        """Everything about these options that the model cannot do; an empty list means it can. Pure."""
        return limits_of(
            self,
            width=width,
            height=height,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            scheduler=scheduler,
            negative_prompt=negative_prompt,
        )


@dataclass(frozen=True, slots=True)
class Registry:
    """The cards found below one directory, by name. A card that is broken, or whose pins are not there, is unusable."""

    cards: Mapping[str, ModelCard]
    upscalers: Mapping[str, UpscalerCard] = field(default_factory=dict)
    adapters: Mapping[str, AdapterCard] = field(default_factory=dict)
    unusable: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (kind, name) -> why
    refused: Mapping[str, str] = field(default_factory=dict)  # models that may not be asked for -> why
    mask_network: MaskNetworkCard | None = None  # finds products; None: no background can be removed here
    references: Mapping[str, ReferenceCard] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)  # further names -> models, as an operator set them

    @classmethod
    def load(cls, models_dir: Path) -> Registry:
        """Reads models_dir/<name>/card.yaml and the extras. One bad card costs no other.

        Raises ModelMissing (no card at all), and CardInvalid where no model is usable.
        """
        paths = sorted(models_dir.glob(f"*/{CARD}"))
        if not paths:
            raise ModelMissing(f"no model card found: {models_dir}/<name>/{CARD}")
        unusable: dict[tuple[str, str], str] = {}
        cards = read_all(paths, ModelCard, "model", unusable)
        upscalers = read_extras(models_dir, UPSCALERS, UpscalerCard, unusable)
        adapters = read_extras(models_dir, LORAS, AdapterCard, unusable)
        shows = read_references(models_dir, unusable)
        network = _mask_network(models_dir, unusable)
        found = cls(cards, upscalers, adapters, unusable, mask_network=network, references=shows)
        _without(cards, found._check_pins, "model", unusable)
        _without(cards, found._check_twins, "model", unusable)
        _without(adapters, found._check_base, "adapter", unusable)
        _without(shows, found._check_base, "reference", unusable)
        if not cards:
            raise CardInvalid("; ".join(why for (kind, _), why in unusable.items() if kind == "model"))
        return found

    def names(self) -> tuple[str, ...]:
        return tuple(self.cards)

    def named(self, name: str) -> str:
        """The model that a name stands for: itself, or what an operator set where no model has that name."""
        return name if name in self.cards else self.aliases.get(name, name)

    def get(self, name: str) -> ModelCard:
        """The card of this name. Raises ModelMissing, naming the models there are."""
        if why := self.unusable.get(("model", name)):
            raise CardInvalid(why)
        if name not in self.cards:
            raise ModelMissing(f"there is no model {name!r}; there are: {', '.join(self.cards)}")
        return self.cards[name]

    def narrowed(self, hidden: Container[str], refused: Mapping[str, str]) -> Registry:
        """Without the `hidden` models, and with a reason for each of those that may not be asked for."""
        cards = {name: card for name, card in self.cards.items() if name not in hidden}
        unusable = {key: why for key, why in self.unusable.items() if key[1] not in hidden}
        return replace(self, cards=cards, unusable=unusable, refused=dict(refused))

    def upscalers_of(self, card: ModelCard) -> Mapping[int, UpscalerCard]:
        """By factor."""
        found = [self.upscalers[pin.name] for pin in card.upscalers]
        return {upscaler.factor: upscaler for upscaler in found}

    def adapters_of(self, card: ModelCard) -> Mapping[str, AdapterCard]:
        """The LoRAs trained for this very revision, by name."""
        return {name: adapter for name, adapter in self.adapters.items() if adapter.base.name == card.name}

    def references_of(self, card: ModelCard) -> Mapping[str, ReferenceCard]:
        """What shows this very revision a picture, by task; of two for a task the first by name."""
        own = [one for name, one in sorted(self.references.items(), reverse=True) if one.base.name == card.name]
        return {task: one for one in own for task in one.tasks}

    def _check_pins(self, card: ModelCard) -> None:
        factors = [self._pinned(card, pin).factor for pin in card.upscalers]
        if len(set(factors)) != len(factors):
            raise CardInvalid(f"{card.home / CARD}: upscalers: two of them have the same factor")

    def _check_twins(self, card: ModelCard) -> None:
        """Names that differ in case alone are one folder on some systems, and one name to most people."""
        twins = [name for name in self.cards if name.lower() == card.name.lower() and name != card.name]
        if twins:
            raise CardInvalid(f"{card.home / CARD}: name: {twins[0]!r} differs from it in case alone; rename one")

    def _pinned(self, card: ModelCard, pin: Pin) -> UpscalerCard:
        upscaler = self.upscalers.get(pin.name)
        if upscaler is None or upscaler.revision != pin.revision:
            there = f"its revision is {upscaler.revision}" if upscaler else "there is no such upscaler"
            raise CardInvalid(f"{card.home / CARD}: upscalers: {pin.name} at {pin.revision}: {there}")
        return upscaler

    def _check_base(self, adapter: AdapterCard | ReferenceCard) -> None:
        base = self.cards.get(adapter.base.name)
        if base is None or base.revision != adapter.base.revision:
            there = f"which is {base.revision} here" if base else "which is not here"
            raise CardInvalid(
                f"{adapter.home / CARD}: base: it was trained for {adapter.base.name} at {adapter.base.revision},"
                f" {there}; an adapter of other weights draws noise. Remedy: train it again, or remove it"
            )
        if isinstance(adapter, ReferenceCard) and not base.family.shows:
            raise CardInvalid(f"{adapter.home / CARD}: base: {base.pipeline} cannot be shown a picture")


def _mask_network(models_dir: Path, unusable: dict[tuple[str, str], str]) -> MaskNetworkCard | None:
    try:
        return read_mask_network(models_dir)
    except CardInvalid as error:
        unusable["mask network", NETWORK] = str(error)
        return None


def _without(cards: dict[str, C], check: Callable[[C], None], kind: str, unusable: dict[tuple[str, str], str]) -> None:
    for name, card in [*cards.items()]:
        try:
            check(card)
        except CardInvalid as error:
            unusable[kind, name] = str(error)
    for name in [name for name in cards if (kind, name) in unusable]:
        del cards[name]


def read_card(path: Path) -> ModelCard:
    """One model's card, checked. Raises CardInvalid naming the file and every field that is wrong."""
    return read(path, ModelCard)
