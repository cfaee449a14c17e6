"""Schedulers for one run: of the class that the recipe names, with the configuration that the model came with.

diffusers builds a scheduler of any class from any configuration. A flow-matching configuration in an epsilon scheduler
draws noise without an error, so what the two predict is compared here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import diffusers

from workers.errors import ModelRefused
from workers.sampling.families.schedulers import FLOW, FLOW_SOLVERS, misfit, settings_of

_FLOW_OPTIONS = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
_STRAIGHT = "flow_prediction"


def prediction_of(config: Mapping[str, Any], class_name: str | None = None) -> str:
    """What the model of a scheduler's configuration predicts: epsilon, v_prediction, sample or flow_prediction."""
    if (class_name or str(config.get("_class_name"))) in FLOW:
        return _STRAIGHT
    return str(config.get("prediction_type", "epsilon"))


def build_scheduler(name: str, config: Mapping[str, Any], options: Sequence[str] = ()) -> Any:
    """A scheduler of class `name` for a model that came with `config`. Raises ModelRefused if the two do not fit."""
    wanted = prediction_of(config)
    if why := misfit(name, options, flow=wanted == _STRAIGHT):
        raise ModelRefused(why)
    changes = settings_of(options)
    if wanted == _STRAIGHT and name in FLOW_SOLVERS and name not in FLOW:
        changes |= _FLOW_OPTIONS | {"flow_shift": config.get("flow_shift", config.get("shift", 1.0))}
    scheduler = getattr(diffusers, name).from_config(config, **changes)
    got = prediction_of(scheduler.config, name)
    if got != wanted:
        raise ModelRefused(f"{name} takes what predicts {got}; this model predicts {wanted}")
    return scheduler


def watch_steps(scheduler: Any, after: Callable[[Any], None]) -> None:
    """Calls `after` with the latents that each step returns. Whatever it raises ends the run between two steps."""
    step = scheduler.step

    @wraps(step)  # pipelines look at its signature
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = step(*args, **kwargs)
        after(result[0] if isinstance(result, tuple) else result.prev_sample)
        return result

    scheduler.step = watched
