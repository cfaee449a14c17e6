"""Recipe of a request: what the model can make of the options, or the reasons why it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from api.edge.problems import Complaint, did_you_mean, quoted
from api.schemas.requests import OptionsBody
from api.submission.pictures.known import KnownInput, unusable
from api.submission.pictures.tasks import STANDARD, Abilities, complaints, is_undrawn, task_for, with_pictures
from api.submission.screening import Screened
from api.submission.tokens import prompt_tokens
from api.submission.vocabulary import Vocabulary
from workers.jobs.types import ALL_READ, TextsRead
from workers.recipes import CLEARED, MAX_SEED, Lora, Recipe, Reference, Upscaler, canonical
from workers.sampling.cards.mask_networks import MaskNetworkCard
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.families.family import CONTROL, REMOVE_BACKGROUND, REPLACE_BACKGROUND, TEXT_TO_IMAGE
from workers.sampling.families.schedulers import misfit
from workers.settings import Settings


class SamplingOptions(NamedTuple):
    """What decides a recipe besides the model. Hashable, so that equal rows are checked once."""

    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    scheduler: str
    upscale: int = 1
    loras: tuple[tuple[str, float], ...] = ()
    scheduler_options: tuple[str, ...] = ()
    reproducible: str = ""
    task: str = TEXT_TO_IMAGE
    strength: float | None = None
    control: str = ""
    canvas: tuple[int, int] | None = None
    lock: str = ""
    ground: str = ""  # GroundOptions as JSON
    reference_scale: float | None = None
    prompt_syntax: str = ""
    background: str = ""

    @classmethod
    def from_json(cls, stored: list[Any]) -> Self:
        read = cls(*stored)  # plans of catalogues keep rows from before the last fields
        loras = tuple((name, scale) for name, scale in read.loras)
        canvas = read.canvas and (read.canvas[0], read.canvas[1])  # JSON made a list of it
        return read._replace(loras=loras, scheduler_options=tuple(read.scheduler_options), canvas=canvas)

    @property
    def megapixel_steps(self) -> float:
        return self.width * self.height * self.num_inference_steps / 1e6


@dataclass(frozen=True, slots=True)
class RecipeOrErrors:
    """A recipe, or what is wrong with it, as complaints that name a field."""

    recipe: Recipe | None
    complaints: tuple[Complaint, ...]


class RecipeBook:
    """The recipes of one model within this installation's limits."""

    def __init__(self, card: ModelCard, settings: Settings, registry: Registry) -> None:
        self.card, self._settings = card, settings
        self._upscalers, self._adapters = registry.upscalers_of(card), registry.adapters_of(card)
        self._references, self.beside = registry.references_of(card), Abilities.of(card, registry)
        self._refused, self._mask_network = registry.refused.get(card.name), registry.mask_network
        self.vocabulary = Vocabulary(card, self._adapters) if card.knows else None
        self.tokens = prompt_tokens(card)
        self._made: dict[tuple[SamplingOptions, bool], RecipeOrErrors] = {}

    def pictured(
        self, options: SamplingOptions, asked_task: str | None, pictures: Mapping[str, KnownInput], *, sized: bool
    ) -> SamplingOptions:
        """The options for these pictures, by role: the task, and what follows from it."""
        task = task_for(asked_task, pictures, self.card, self.beside)
        return with_pictures(options._replace(task=task), self.card, self.beside, pictures, sized=sized)

    def picture_complaints(self, options: SamplingOptions, pictures: Mapping[str, KnownInput]) -> list[Complaint]:
        """What is wrong with the task and its pictures."""
        gone = [wrong for role, known in pictures.items() if (wrong := unusable(role, known))]
        return [*gone, *complaints(options, self.card, self.beside, pictures)]

    def options(self, asked: OptionsBody) -> SamplingOptions:
        """What is asked for, the card's defaults in the gaps; without pictures."""
        card = self.card
        return SamplingOptions(
            width=card.width if asked.width is None else asked.width,
            height=card.height if asked.height is None else asked.height,
            num_inference_steps=asked.num_inference_steps or card.num_inference_steps,
            guidance_scale=card.guidance_scale if asked.guidance_scale is None else asked.guidance_scale,
            scheduler=asked.scheduler or card.scheduler,
            upscale=asked.upscale,
            loras=self.loras((lora.name, lora.scale) for lora in asked.loras),
            scheduler_options=tuple(sorted(set(asked.scheduler_options))),
            reproducible=asked.reproducible or "",
            prompt_syntax=asked.prompt_syntax or "",
            task=asked.task or card.tasks[0],
            strength=asked.strength,
            control=asked.control,
            lock=asked.lock or "",
            reference_scale=asked.reference_scale,
            ground=canonical(asked.ground.options().to_json()) if asked.ground else "",
            canvas=(asked.canvas[0], asked.canvas[1]) if asked.canvas else None,
            background=asked.background or "",
        )

    def loras(self, asked: Iterable[tuple[str, float | None]]) -> tuple[tuple[str, float], ...]:
        """With the adapters' own scales in the gaps, in one order: the same set is the same recipe."""
        own = {name: adapter.scale for name, adapter in self._adapters.items()}
        return tuple(sorted((name, own.get(name, 1.0) if scale is None else float(scale)) for name, scale in asked))

    def make(self, options: SamplingOptions, negative_prompt: str) -> RecipeOrErrors:
        """Pure but for a memory of what was asked before."""
        asked = (options, bool(negative_prompt))
        if asked not in self._made:
            complaints = (
                *self._card_complaints(options, negative_prompt),
                *self._installation_complaints(options),
                *self._extras_complaints(options),
            )
            self._made[asked] = RecipeOrErrors(None if complaints else self._recipe(options), complaints)
        return self._made[asked]

    def complaints(self, asked: OptionsBody, options: SamplingOptions | None = None) -> list[Complaint]:
        """Everything about a request as a whole that model or installation cannot do, by field."""
        found = [*self.make(options or self.options(asked), asked.negative_prompt).complaints]
        most = min(self._settings.max_variants, self._settings.max_items)
        last_seed = (asked.seed or 0) + asked.variants - 1
        if len(asked.negative_prompt) > self._settings.max_prompt_chars:
            message = f"more than the {self._settings.max_prompt_chars:,} characters allowed"
            found.append(Complaint("prompt_too_long", message, "Shorten it.", field="negative_prompt"))
        if asked.variants > most:
            message = f"{asked.variants} variants are more than the {most} allowed here"
            found.append(Complaint("too_many_variants", message, "Ask for fewer.", field="variants"))
        elif last_seed > MAX_SEED:
            message = f"the seed of the last variant would be {last_seed}"
            found.append(Complaint("seed_too_large", message, f"The largest is {MAX_SEED} (2^53 - 1).", field="seed"))
        return found

    def texts_read(self, texts: Screened, syntax: str) -> TextsRead:
        """How much of both texts the model reads; all, where its tokenizer cannot be read here."""
        if self.tokens is None:
            return ALL_READ
        return TextsRead(*(self.tokens.sent_chars_read(text, syntax) for text in (texts.prompt, texts.negative_prompt)))

    def recipe(self, options: SamplingOptions) -> Recipe:
        """The recipe of options that `make` accepted."""
        made = self.make(options, "")
        if made.recipe is None:
            raise ValueError(f"these options were never accepted: {options}")
        return made.recipe

    def _recipe(self, options: SamplingOptions) -> Recipe:
        if options.task == REMOVE_BACKGROUND and self._mask_network:
            return _cut_out(options, self._mask_network)
        upscaler, shows = self._upscalers.get(options.upscale), self._references.get(options.task)
        return Recipe(
            model=self.card.name,
            model_revision=self.card.revision,
            width=options.width,
            height=options.height,
            num_inference_steps=options.num_inference_steps,
            scheduler=options.scheduler,
            scheduler_options=options.scheduler_options,
            reproducible=options.reproducible,
            prompt_syntax=options.prompt_syntax,
            task=options.task,
            strength=options.strength,
            control=options.control if options.task == CONTROL else "",
            canvas=options.canvas,
            lock="" if options.lock == STANDARD else options.lock,
            ground=options.ground,
            clearing=CLEARED if options.task == REPLACE_BACKGROUND and self.card.knows else "",
            background=options.background,
            guidance_scale=float(options.guidance_scale),
            loras=tuple(Lora(name, scale, self._adapters[name].revision) for name, scale in options.loras),
            reference=Reference(shows.name, options.reference_scale or shows.scale, shows.revision) if shows else None,
            upscaler=Upscaler(upscaler.name, upscaler.factor, upscaler.revision) if upscaler else None,
        )

    def _card_complaints(self, options: SamplingOptions, negative_prompt: str) -> list[Complaint]:
        if is_undrawn(options.task, self.card):
            return []  # its pipeline draws nothing
        problems = self.card.problems(
            width=options.width,
            height=options.height,
            num_inference_steps=options.num_inference_steps,
            guidance_scale=options.guidance_scale,
            scheduler=options.scheduler,
            negative_prompt=negative_prompt,
        )
        return [Complaint("model_limit", p.message, self._remedy(p.field), field=p.field) for p in problems]

    def _installation_complaints(self, options: SamplingOptions) -> list[Complaint]:
        found = []
        pixels, steps = self._settings.max_pixels, self._settings.max_steps
        factor = options.upscale if options.upscale in self._upscalers else 1
        drawn = options.width * factor, options.height * factor
        width, height = max(drawn, options.canvas or drawn, key=lambda sides: sides[0] * sides[1])
        if width * height > pixels:
            field = "upscale" if factor > 1 else "width"
            message = f"{width} x {height} is more than the {pixels:,} pixels allowed here"
            found.append(Complaint("too_many_pixels", message, self._remedy(field), field=field))
        if options.num_inference_steps > steps:
            message = f"{options.num_inference_steps} steps are more than the {steps} allowed here"
            remedy = self._remedy("num_inference_steps")
            found.append(Complaint("too_many_steps", message, remedy, field="num_inference_steps"))
        return found

    def _extras_complaints(self, options: SamplingOptions) -> list[Complaint]:
        found, card = [], self.card
        if reason := self._refused:
            remedy = "Choose another model, or ask who approves models here."
            found.append(Complaint("model_not_usable", reason, remedy, field="model"))
        if why := misfit(options.scheduler, options.scheduler_options, flow=card.family.matches_flows):
            remedy = "Leave it out, or name another scheduler of the model."
            found.append(Complaint("model_limit", why, remedy, field="scheduler_options"))
        if options.prompt_syntax and not card.family.weighs:
            message = f"{card.name} reads no weights of words"
            remedy = "Leave it out, or choose a Stable Diffusion 1, 2 or XL model."
            found.append(Complaint("model_limit", message, remedy, field="prompt_syntax"))
        if options.upscale != 1 and options.upscale not in self._upscalers:
            message = f"{card.name} has no upscaler of factor {options.upscale}"
            found.append(Complaint("model_limit", message, self._remedy("upscale"), field="upscale"))
        shows, scale = self._references.get(options.task), options.reference_scale
        if shows and scale and scale > shows.max_scale:
            message = f"{scale:g} is above {shows.max_scale:g}, what {shows.name} takes"
            found.append(Complaint("model_limit", message, f"Its own is {shows.scale:g}.", field="reference_scale"))
        for name, scale in options.loras:
            adapter = self._adapters.get(name)
            if adapter is None:
                message = f"{card.name} has no LoRA {quoted(name)}"
                remedy = f"It has: {', '.join(self._adapters) or 'none'}.{did_you_mean(name, list(self._adapters))}"
                found.append(Complaint("model_limit", message, remedy, field="loras"))
            elif not 0 < scale <= adapter.max_scale:
                message = f"{scale:g} is no scale between 0 and {adapter.max_scale:g}, what {name} takes"
                remedy = f"Leave it out to get its own {adapter.scale:g}."
                found.append(Complaint("model_limit", message, remedy, field="loras"))
        if len({name for name, _ in options.loras}) != len(options.loras):
            found.append(Complaint("model_limit", "a LoRA is named twice", "Name each once.", field="loras"))
        return found

    def _remedy(self, field: str) -> str:
        card = self.card
        factors = ", ".join(map(str, (1, *sorted(self._upscalers))))
        return {
            "upscale": f"It enlarges by: {factors}. Leave it out to get the picture as it is drawn.",
            "width": f"{card.name} is at its best at {card.width} x {card.height}; leave the size out to get that.",
            "height": f"{card.name} is at its best at {card.width} x {card.height}; leave the size out to get that.",
            "num_inference_steps": f"Leave it out to get the model's own {card.num_inference_steps}.",
            "guidance_scale": f"Leave it out to get the model's own {card.guidance_scale:g}.",
            "scheduler": f"Leave it out to get the model's own {card.scheduler}.",
        }.get(field, "Leave it out, or choose another value.")


def _cut_out(options: SamplingOptions, network: MaskNetworkCard) -> Recipe:
    """No model draws: the mask network is what decides the picture."""
    return Recipe(
        model=network.name,
        model_revision=network.revision,
        width=options.width,
        height=options.height,
        num_inference_steps=1,
        scheduler="",
        guidance_scale=1.0,
        task=options.task,
    )


class RecipeBooks:
    """The recipe books of an installation: the request's own model, and those that rows name."""

    def __init__(self, default: RecipeBook, settings: Settings, registry: Registry) -> None:
        self.default, self._settings, self._registry = default, settings, registry
        self.names = (*registry.names(), *registry.aliases)
        self._books = {default.card.name: default}

    def of(self, name: str) -> RecipeBook:
        """The book of an installed model by any of its names, the request's own for ""."""
        if not name:
            return self.default
        name = self._registry.named(name)
        if name not in self._books:
            self._books[name] = RecipeBook(self._registry.get(name), self._settings, self._registry)
        return self._books[name]


def at(complaint: Complaint, *, row: int, line: int, column: str | None) -> Complaint:
    """The complaint, moved from a field to a place in the spreadsheet."""
    return replace(complaint, field=None, row=row, line=line, column=column or complaint.field)
