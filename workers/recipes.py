"""Recipe: what must be equal for items to share a sampling batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

CLEARED = "cleared"
MAX_SEED = 2**53 - 1  # the largest integer that every JSON reader keeps exact

ROLES = ("image", "mask", "control_image", "reference_image")  # of inputs, as a request names them

MARK = "mark"  # task: a picture that another tool made is finished as it was sent; no model draws
MADE_ELSEWHERE = "made-elsewhere"  # stands where others name a model

# Fields that the first recipes did not have.
_LATER = frozenset(
    {
        *("upscaler", "scheduler_options", "reproducible", "strength", "control", "canvas", "lock", "ground"),
        *("clearing", "reference", "prompt_syntax", "background"),
    }
)


class Lora(NamedTuple):
    """An adapter, how strongly it acts, and which bytes it is."""

    name: str
    scale: float
    revision: str


class Upscaler(NamedTuple):
    """What enlarges the pictures, how many times on each side, and which bytes it is."""

    name: str
    factor: int
    revision: str


class Reference(NamedTuple):
    """The network that shows the model a picture, how strongly that acts, and which bytes it is."""

    name: str
    scale: float
    revision: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Equal recipes may be sampled together. `width` and `height` are what the model draws, in pixels."""

    model: str  # registry name, e.g. "studio"
    model_revision: str  # content hash from the model card, "sha256:..."
    width: int
    height: int
    num_inference_steps: int
    scheduler: str  # diffusers class name, e.g. "DDIMScheduler"
    guidance_scale: float
    task: str = "text-to-image"
    loras: tuple[Lora, ...] = ()
    upscaler: Upscaler | None = None
    strength: float | None = None  # of noise over the given picture, in (0, 1]; None: the task has no place for one
    control: str = ""  # canny: edges of the given picture guide; "": the given picture is such a map itself
    scheduler_options: tuple[str, ...] = ()  # of workers.sampling.families.schedulers.OPTIONS, sorted
    reproducible: str = ""  # "strict": each image in a run of its own, by deterministic algorithms
    lock: str = ""  # strict: no watermark lies on the product whose background is replaced
    ground: str = ""  # how that product stands on its ground: workers.masks.options.GroundOptions as canonical JSON
    clearing: str = ""  # cleared: the one thing that a model of known things draws is taken out of its ground
    reference: Reference | None = None  # what shows the model the reference picture
    prompt_syntax: str = ""  # of policy.prompts.weights; "": prompts are words and nothing else
    canvas: tuple[int, int] | None = None  # width and height of the finished picture where a given one, or the request,
    # decides them: what is drawn is scaled to cover it, and cut at its middle
    background: str = ""  # transparent: what is drawn is cut out of its ground

    @property
    def id(self) -> str:
        """Digest of the content: the same recipe has the same id everywhere."""
        return _digest(self)

    @property
    def work_id(self) -> str:
        """Digest of what decides how long a batch takes on a device: recipes that differ in taste alone share it."""
        return _work_digest(self)

    @property
    def upscale(self) -> int:
        """How many times a side of the finished picture is longer than what the model draws."""
        return self.upscaler.factor if self.upscaler else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a finished picture."""
        width, height = self.canvas or (self.width * self.upscale, self.height * self.upscale)
        return height, width, 3

    def to_json(self) -> dict[str, Any]:
        """Without an upscaler or options there is no such key: recipes older than those keep their id."""
        stored = {**asdict(self), "loras": [list(lora) for lora in self.loras]}
        stored["upscaler"] = self.upscaler._asdict() if self.upscaler else None
        stored["reference"] = self.reference._asdict() if self.reference else None
        stored["scheduler_options"] = list(self.scheduler_options)
        stored["canvas"] = list(self.canvas) if self.canvas else None
        stored["ground"] = json.loads(self.ground) if self.ground else None
        return {name: value for name, value in stored.items() if name not in _LATER or value}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Recipe:
        upscaler = stored.get("upscaler")
        loras = tuple(Lora(*lora) for lora in stored["loras"])
        options = tuple(stored.get("scheduler_options", ()))
        grown = Upscaler(**upscaler) if upscaler else None
        canvas = tuple(stored["canvas"]) if stored.get("canvas") else None
        ground = canonical(stored["ground"]) if stored.get("ground") else ""
        shown = Reference(**stored["reference"]) if stored.get("reference") else None
        made = {"loras": loras, "upscaler": grown, "scheduler_options": options, "canvas": canvas, "ground": ground}
        return cls(**{**stored, **made, "reference": shown})


def canonical(stored: Mapping[str, Any]) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(stored, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=4096)  # a campaign asks for the same few recipes once an item
def _digest(recipe: Recipe) -> str:
    text = json.dumps(recipe.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def _work_digest(recipe: Recipe) -> str:
    work = (
        recipe.task,
        recipe.model_revision,
        sorted(lora.revision for lora in recipe.loras),
        recipe.width,
        recipe.height,
        recipe.num_inference_steps,
        recipe.scheduler,  # some ask the network twice a step
        recipe.guidance_scale > 1,  # twice the network
        recipe.upscaler.revision if recipe.upscaler else None,
    )
    return hashlib.sha256(json.dumps(work, separators=(",", ":")).encode()).hexdigest()[:32]


def marking_recipe(width: int, height: int) -> Recipe:
    """Of pictures of one size that another tool made."""
    return Recipe(MADE_ELSEWHERE, "", width, height, 0, "", 0.0, task=MARK)


def seed_for(seeded_by: str, custom_id: str, variant: int) -> int:
    """A 32-bit seed for an item that names none.

    `seeded_by` is the id of the recipe for the row of a campaign: sent again unchanged, it is the same picture. It is
    the id of the request for a prompt without a row, which is asked for again to get another picture.
    """
    text = f"{seeded_by}\n{custom_id}\n{variant}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
