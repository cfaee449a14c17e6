"""Schedulers: each that fits draws and repeats, its options reach it, and one of another kind is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from tests.support.tiny_models.instances import build
from workers.errors import ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import Registry
from workers.sampling.families.schedulers import DIFFUSION, FLOW_SOLVERS, OPTIONS
from workers.sampling.families.table import FAMILIES
from workers.sampling.pipelines import load_pipeline
from workers.sampling.sampler import DiffusersSampler
from workers.sampling.schedulers import build_scheduler, prediction_of


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> DiffusersSampler:
    card = build(tmp_path_factory.mktemp("models"), "sd-1.5")
    loaded = load_pipeline(card, torch.device("cpu"))
    return DiffusersSampler(Registry({card.name: card}), "cpu", 1, load=lambda card, device: loaded)


def draw(sampler: DiffusersSampler, seeds: list[int], **changes: Any) -> Any:
    card = sampler._registry.get("sd-1.5")
    recipe = replace(Recipe(card.name, card.revision, 16, 16, 3, card.scheduler, 2.0), **changes)
    items = tuple(ClaimedItem(f"i{n}", "r", "t", f"c{n}", 0, "a b", "", n) for n in seeds)
    return sampler.sample(Claim("b", 1, recipe, "gpu", items), Watch())


def config_of(scheduler: Any) -> dict[str, Any]:
    """As it stands in a model's folder: with the class."""
    return {**scheduler.config, "_class_name": type(scheduler).__name__}


def cases() -> list[tuple[str, tuple[str, ...]]]:
    plain: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in DIFFUSION]
    return plain + [(name, (option,)) for option, (_, names) in OPTIONS.items() for name in names]


@pytest.mark.parametrize(("scheduler", "options"), cases())
def test_a_scheduler_repeats_and_depends_on_the_seed_alone(
    sampler: DiffusersSampler, scheduler: str, options: tuple[str, ...]
) -> None:
    asked = {"scheduler": scheduler, "scheduler_options": options}
    whole = draw(sampler, [1, 2], **asked)
    assert whole.faults == {}
    assert np.array_equal(draw(sampler, [1, 2], **asked).images, whole.images)
    assert np.abs(draw(sampler, [2], **asked).images[0].astype(int) - whole.images[1]).max() <= 2


@pytest.mark.parametrize(("scheduler", "options"), [case for case in cases() if case[1]])
def test_an_option_reaches_the_scheduler(scheduler: str, options: tuple[str, ...]) -> None:
    built = build_scheduler(scheduler, config_of(DDIMScheduler()), options)
    assert dict(built.config).items() >= OPTIONS[options[0]][0].items()


@pytest.mark.parametrize("scheduler", [name for name in DIFFUSION if name not in FLOW_SOLVERS])
def test_a_flow_never_becomes_an_epsilon_scheduler(scheduler: str) -> None:
    with pytest.raises(ModelRefused, match=f"{scheduler} takes what predicts epsilon; this model predicts flow_pred"):
        build_scheduler(scheduler, config_of(FlowMatchEulerDiscreteScheduler()))


@pytest.mark.parametrize("scheduler", FLOW_SOLVERS)
def test_a_flow_stays_one_in_the_solvers_that_know_flows(scheduler: str) -> None:
    built = build_scheduler(scheduler, config_of(FlowMatchEulerDiscreteScheduler(shift=3.0)))
    assert prediction_of(built.config, scheduler) == "flow_prediction"
    assert built.config.get("flow_shift", built.config.get("shift")) == 3.0


def test_a_diffusion_schedule_never_becomes_a_flow() -> None:
    with pytest.raises(ModelRefused, match="takes what predicts flow_prediction; this model predicts v_prediction"):
        build_scheduler("FlowMatchEulerDiscreteScheduler", config_of(DDIMScheduler(prediction_type="v_prediction")))


def test_v_prediction_is_kept_by_every_scheduler_that_can() -> None:
    config = config_of(DDIMScheduler(prediction_type="v_prediction"))
    assert {prediction_of(build_scheduler(name, config).config, name) for name in DIFFUSION} == {"v_prediction"}


@pytest.mark.parametrize(
    ("scheduler", "options", "words"),
    [
        ("PNDMScheduler", ("karras",), "PNDMScheduler has no option karras; these have it: DEIS"),
        ("DDIMScheduler", ("sde",), "DDIMScheduler has no option sde; these have it: DPMSolverMultistepScheduler"),
        ("DDIMScheduler", ("magic",), "'magic' is no option of a scheduler; there are: karras, sde, trailing"),
    ],
)
def test_an_option_that_a_scheduler_lacks_is_refused(scheduler: str, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        build_scheduler(scheduler, config_of(DDIMScheduler()), options)


def test_a_flow_has_no_noise_levels_to_choose() -> None:
    with pytest.raises(ModelRefused, match="karras is an option of diffusion schedules; this model matches flows"):
        build_scheduler("DPMSolverMultistepScheduler", config_of(FlowMatchEulerDiscreteScheduler()), ("karras",))
    assert [name for name, family in FAMILIES.items() if family.matches_flows][:2] == ["stable-diffusion-3", "flux"]


def test_options_are_part_of_the_recipe_and_old_recipes_keep_their_id(tmp_path: Path) -> None:
    plain = Recipe("a", "sha256:0", 16, 16, 2, "EulerDiscreteScheduler", 2.0)
    karras = replace(plain, scheduler_options=("karras",))
    assert plain.id != karras.id
    assert "scheduler_options" not in plain.to_json()
    assert [Recipe.from_json(some.to_json()) for some in (plain, karras)] == [plain, karras]
