"""Calls of a pipeline: from options to its arguments, by its family. An option without a place is an error."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import diffusers
import torch

from workers.errors import ModelRefused
from workers.jobs.types import ClaimedItem
from workers.recipes import Recipe
from workers.sampling.families.family import PICTURES, Call, Family


class Called(NamedTuple):
    """A pipeline, and how it is called."""

    family: Family
    call: Call
    pipe: Any


def check_signature(call: Call) -> None:
    """Raises ModelRefused unless the installed diffusers has this pipeline, with every argument that the call uses."""
    pipeline = getattr(diffusers, call.pipeline, None)
    if pipeline is None:
        raise ModelRefused(f"diffusers {diffusers.__version__} has no {call.pipeline}")
    parameters = inspect.signature(pipeline.__call__).parameters
    missing = sorted({*call.arguments.values(), *call.always} - parameters.keys())
    if missing:
        raise ModelRefused(f"{call.pipeline} of diffusers {diffusers.__version__} has no argument {', '.join(missing)}")


def defaults_of(call: Call) -> dict[str, Any]:
    """What the pipeline's own call takes where nobody asks: steps and guidance, if it has them."""
    parameters = inspect.signature(getattr(diffusers, call.pipeline).__call__).parameters
    asked = {
        option: call.arguments[option] for option in ("num_inference_steps", "guidance_scale") if call.takes(option)
    }
    return {option: parameters[argument].default for option, argument in asked.items()}


def arguments_of(
    called: Called, recipe: Recipe, items: Sequence[ClaimedItem], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments for one run of these items. `extra` are options that neither recipe nor items have: pictures.

    Lists are made here and given away: some pipelines write into the list of prompts that they are called with.
    """
    family, call = called.family, called.call
    options: dict[str, Any] = {
        "prompt": [item.prompt for item in items],
        "class_label": [item.prompt for item in items],
        "images": len(items),
        "width": recipe.width,
        "height": recipe.height,
        "area": recipe.width * recipe.height,
        "num_inference_steps": recipe.num_inference_steps,
        "guidance_scale": recipe.guidance_scale,
        **extra,
    }
    if any(item.negative_prompt for item in items):  # absent is not empty: left out where nobody gave one
        options["negative_prompt"] = [item.negative_prompt for item in items]
    if call.takes("class_label"):
        options["class_label"] = _labels(called.pipe, options["class_label"])
    lost = sorted(options.keys() - call.arguments.keys() - _IMPLIED)
    if lost:
        raise ModelRefused(f"{call.pipeline} has no place for {', '.join(lost)}")
    without = [option for option in PICTURES if call.takes(option) and len(options.get(option, ())) != len(items)]
    if without:
        raise ModelRefused(f"{call.pipeline} takes {', '.join(without)} for each item")
    chosen = {argument: options[option] for option, argument in call.arguments.items() if option in options}
    if family.alone and len(items) == 1:
        chosen = {name: value[0] if isinstance(value, list) else value for name, value in chosen.items()}
    generators = [torch.Generator("cpu").manual_seed(item.seed) for item in items]
    return chosen | dict(call.always) | {"generator": generators, "output_type": family.output}


# Options that every recipe and item has, asked for or not: the card's check at submit says where they have no place.
_IMPLIED = {"prompt", "class_label", "images", "width", "height", "area", "guidance_scale"}


def _labels(pipe: Any, texts: Sequence[str]) -> Any:
    """Class numbers: a prompt that is one, or a name that the model knows. Raises ModelRefused."""
    names = getattr(pipe, "labels", {})
    numbers = []
    for text in texts:
        found = int(text) if text.strip().isdigit() else names.get(text.strip())
        if found is None:
            raise ModelRefused(f"{text[:40]!r} is no class of this model; give a number or a name of its list")
        numbers.append(found)
    return numbers
