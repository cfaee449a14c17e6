"""Family: how diffusers serves one architecture, as a value.

A option is something that a request can ask for, under its name in the API. A call has an argument for a option, or the
option is refused at submit. `workers.sampling.calls` compares the arguments with the signature when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from workers.sampling.families.schedulers import FLOW

TEXT_TO_IMAGE = "text-to-image"
IMAGE_TO_IMAGE = "image-to-image"
INPAINT = "inpaint"
EDIT = "edit"
CONTROL = "control"
STYLE = "style"
TRY_ON = "try-on"
UPSCALE = "upscale"
UNCONDITIONAL = "unconditional"
CLASS_CONDITIONAL = "class-conditional"
# Tasks of the line itself: the first asks no model but the mask network, the second draws its ground as text-to-image.
REMOVE_BACKGROUND = "remove-background"
REPLACE_BACKGROUND = "replace-background"

# Options that every item has a value of its own for; a call gets them as lists.
PER_ITEM = ("prompt", "class_label", "negative_prompt", "image", "mask_image", "control_image")
PICTURES = ("image", "mask_image", "control_image")  # options that are pictures given to us
SIZE = ("width", "height")
# Tasks of a model that is shown a reference picture, and what it draws them as.
SHOWN: Mapping[str, str] = {STYLE: TEXT_TO_IMAGE, TRY_ON: INPAINT}


class Call(NamedTuple):
    """A pipeline class for one task: which argument each option becomes, and what is always passed."""

    pipeline: str  # name in diffusers
    arguments: Mapping[str, str]  # by option
    always: Mapping[str, Any] = {}

    def takes(self, option: str) -> bool:
        return option in self.arguments


def call(pipeline: str, options: str, always: Mapping[str, Any] | None = None, /, **renamed: str) -> Call:
    """A call whose arguments have the names of the options, but for those `renamed` (option=argument)."""
    return Call(pipeline, {option: option for option in options.split()} | renamed, always or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture. `calls` are by task; the first is the task of a card whose pipeline draws several."""

    name: str
    calls: Mapping[str, Call]
    components: Mapping[str, frozenset[str]]  # allowed classes, "library.Class"
    optional: frozenset[str] = frozenset()  # components that a folder may leave out or set to null
    scalars: frozenset[str] = frozenset()  # further names in model_index.json: numbers, text, null, mappings
    schedulers: tuple[str, ...]  # classes that fit what the denoiser predicts
    reads: Mapping[str, int | None] = field(default_factory=dict)  # tokens by tokenizer; None: its own model_max_length
    weighs: Mapping[str, str] = field(default_factory=dict)  # tokenizer by text encoder whose tokens can be weighed
    adapts: tuple[str, ...] = ()  # components that a LoRA may change
    shows: str = ""  # argument for what a network made of a reference picture; "": nothing can be shown
    guidance: Literal["classifier-free", "embedded", "none"] = "classifier-free"
    negative_absent: Literal["empty", "other"] = "empty"  # whether a prompt left out is what an empty one is
    alone: bool = False  # an item's pixels depend on its neighbours' prompts: one image a run
    stages: tuple[str, ...] = ("",)  # attributes that hold the pipelines with a scheduler, in order; "": the pipeline
    vae_overflows: bool = False  # in float16: it computes in float32 beside a denoiser of float16
    load: Mapping[str, Any] = field(default_factory=dict)  # arguments of from_pretrained
    output: Literal["pt", "np"] = "pt"  # what the pipeline can be asked to return

    @property
    def matches_flows(self) -> bool:
        """Whether its denoiser predicts the velocity of a straight path, not that of a noise schedule."""
        return set(FLOW) <= set(self.schedulers)

    def call_for(self, pipeline: str, task: str | None = None) -> Call:
        """The call of a card's pipeline class, for its own task or another that shares its weights."""
        own = next(some for some in self.calls.values() if some.pipeline == pipeline)
        return own if task is None else self.calls[task]

    def tasks_of(self, pipeline: str) -> tuple[str, ...]:
        """The tasks that weights saved as this pipeline class serve: all, if it is the family's first."""
        own = [task for task, some in self.calls.items() if some.pipeline == pipeline]
        first = next(iter(self.calls.values())).pipeline
        return tuple(self.calls) if pipeline == first else tuple(own)
