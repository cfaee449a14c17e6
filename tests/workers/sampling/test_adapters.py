"""LoRA adapters on a real pipeline: they act, by their scale, on the batches that ask for them and on no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.support.tiny_pipeline import SIDE, add_adapter, build_tiny_model
from workers import metrics
from workers.errors import CardInvalid, ModelMissing, ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Lora, Recipe
from workers.sampling.cards.contents import CARD, file_of, revision_of
from workers.sampling.cards.registry import Registry
from workers.sampling.sampler import DiffusersSampler

WEIGHTS = "pytorch_lora_weights.safetensors"


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    build_tiny_model(place)
    add_adapter(place, "ink", seed=1)
    add_adapter(place, "gold", seed=2)
    return place


@pytest.fixture(scope="module")
def registry(models_dir: Path) -> Registry:
    return Registry.load(models_dir)


@pytest.fixture(scope="module")
def sampler(registry: Registry) -> DiffusersSampler:
    return DiffusersSampler(registry, "cpu", 1)


@pytest.fixture
def drawn(registry: Registry, sampler: DiffusersSampler) -> Callable[..., np.ndarray]:
    """What comes out with these adapters: name -> scale."""
    card = registry.get("tiny")
    recipe = Recipe(card.name, card.revision, SIDE, SIDE, 2, card.scheduler, 2.0)
    items = tuple(ClaimedItem(f"item-{n}", "r", "t", f"c{n}", 0, "thing", "", n) for n in range(2))

    def draw(**loras: float) -> np.ndarray:
        asked = tuple(Lora(name, scale, registry.adapters[name].revision) for name, scale in loras.items())
        return sampler.sample(Claim("b", 1, replace(recipe, loras=asked), "gpu", items), Watch()).images.astype(int)

    return draw


def test_an_adapter_changes_the_pictures_by_its_scale_and_leaves_no_trace(drawn: Callable[..., np.ndarray]) -> None:
    plain = drawn()
    full, faint = drawn(ink=1.0), drawn(ink=0.05)
    assert np.abs(full - plain).mean() > 2 * np.abs(faint - plain).mean() > 0
    assert np.array_equal(drawn(), plain)
    assert np.array_equal(drawn(ink=1.0), full)


def test_two_adapters_act_together_and_another_set_replaces_them(drawn: Callable[..., np.ndarray]) -> None:
    ink, gold, both = drawn(ink=1.0), drawn(gold=1.0), drawn(gold=1.0, ink=1.0)
    assert not np.array_equal(both, ink)
    assert not np.array_equal(both, gold)
    assert np.array_equal(drawn(gold=1.0), gold)


def test_items_with_other_adapters_or_scales_are_other_recipes() -> None:
    recipe = Recipe("tiny", "sha256:0", 64, 64, 2, "DDIMScheduler", 2.0)
    asked = [(), (Lora("ink", 1.0, "sha256:1"),), (Lora("ink", 0.5, "sha256:1"),), (Lora("ink", 1.0, "sha256:2"),)]
    recipes = [replace(recipe, loras=loras) for loras in asked]
    assert len({some.id for some in recipes}) == 4
    assert [Recipe.from_json(some.to_json()) for some in recipes] == recipes


def test_an_adapter_this_worker_does_not_have_is_answered_by_name(
    registry: Registry, sampler: DiffusersSampler
) -> None:
    card = registry.get("tiny")
    recipe = Recipe(card.name, card.revision, SIDE, SIDE, 1, card.scheduler, 2.0, loras=(Lora("ink", 1.0, "sha256:0"),))
    item = ClaimedItem("i", "r", "t", "c", 0, "thing", "", 0)
    with pytest.raises(ModelMissing, match="no adapter ink at sha256:0"):
        sampler.sample(Claim("b", 1, recipe, "gpu", (item,)), Watch())


@pytest.fixture
def spoiled(models_dir: Path, tmp_path: Path) -> Path:
    """The folder of an adapter that a test may spoil."""
    shutil.copytree(models_dir, tmp_path / "models")
    return tmp_path / "models" / "loras" / "ink"


def rewrite_card(folder: Path, **changes: Any) -> None:
    written = yaml.safe_load((folder / CARD).read_text()) | changes
    (folder / CARD).write_text(yaml.safe_dump(written))


def accept_the_file(folder: Path) -> None:
    """Its digest as it is now, on the card."""
    file = file_of(folder, WEIGHTS)
    rewrite_card(folder, files=[asdict(file)], revision=revision_of([file]))


def preload(folder: Path) -> None:
    """Raises what a worker that starts says of this adapter; the worker starts, and draws with the others."""
    registry = Registry.load(folder.parent.parent)
    sampler = DiffusersSampler(registry, "cpu", 1)
    sampler.prepare(["tiny"])
    said = {**registry.unusable, **sampler.unusable}
    assert ("adapter", "gold") not in said
    why = said.get(("adapter", "ink"))
    if why is not None:
        errors = {"is on the card": ModelMissing, "bytes are not": ModelMissing, "card.yaml": CardInvalid}
        raise next((error for words, error in errors.items() if words in why), ModelRefused)(why)


def test_a_worker_whose_adapter_is_gone_or_changed_lists_it(spoiled: Path) -> None:
    tensors = load_file(spoiled / WEIGHTS)
    save_file({name: value + 1 for name, value in tensors.items()}, spoiled / WEIGHTS)
    with pytest.raises(ModelMissing, match="its bytes are not those of its card"):
        preload(spoiled)
    (spoiled / WEIGHTS).unlink()
    with pytest.raises(ModelMissing, match="is on the card and not in"):
        preload(spoiled)


def test_a_pickle_a_link_and_a_path_outside_are_refused(spoiled: Path, tmp_path: Path) -> None:
    (spoiled / "weights.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelRefused, match="may be a pickle"):
        preload(spoiled)
    (spoiled / "weights.bin").unlink()
    shutil.move(spoiled / WEIGHTS, tmp_path / WEIGHTS)
    (spoiled / WEIGHTS).symlink_to(tmp_path / WEIGHTS)
    with pytest.raises(ModelRefused, match="link that leads out"):
        preload(spoiled)
    outside = {"path": f"../../{WEIGHTS}", "bytes": 1, "sha256": "0" * 64}
    rewrite_card(spoiled, files=[outside])
    with pytest.raises(CardInvalid, match=r"files\.0\.path: String should match"):
        preload(spoiled)


def test_a_file_that_is_no_safetensors_is_refused(spoiled: Path) -> None:
    (spoiled / WEIGHTS).write_bytes(b"\x80\x04 not what the name says")
    file = file_of(spoiled, WEIGHTS)
    rewrite_card(
        spoiled, files=[{"path": WEIGHTS, "bytes": file.bytes, "sha256": file.sha256}], revision=revision_of([file])
    )
    with pytest.raises(ModelRefused, match="announces a header of"):
        preload(spoiled)


def test_only_what_asks_for_an_unusable_adapter_is_refused(spoiled: Path) -> None:
    (spoiled / WEIGHTS).unlink()
    registry = Registry.load(spoiled.parent.parent)
    sampler = DiffusersSampler(registry, "cpu", 1)
    sampler.prepare(["tiny"])
    card = registry.get("tiny")
    recipe = Recipe(card.name, card.revision, SIDE, SIDE, 1, card.scheduler, 2.0)
    claim = Claim("b", 1, recipe, "gpu", (ClaimedItem("i", "r", "t", "c", 0, "thing", "", 0),))
    assert sampler.sample(claim, Watch()).faults == {}
    loras = (Lora("ink", 1.0, registry.adapters["ink"].revision),)
    with pytest.raises(ModelRefused, match="is on the card and not in"):
        sampler.sample(replace(claim, recipe=replace(recipe, loras=loras)), Watch())
    assert metrics.UNUSABLE.labels("adapter")._value.get() == 1


def test_an_adapter_of_other_weights_is_listed_with_the_remedy(spoiled: Path) -> None:
    rewrite_card(spoiled, base={"name": "tiny", "revision": "sha256:" + "0" * 64})
    with pytest.raises(CardInvalid, match=r"base: it was trained for tiny at sha256:0+, which is sha256:.*train"):
        preload(spoiled)
    rewrite_card(spoiled, base={"name": "huge", "revision": "sha256:" + "0" * 64})
    with pytest.raises(CardInvalid, match="which is not here"):
        preload(spoiled)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda t: {name.replace("unet.", "text_encoder."): value for name, value in t.items()},
            "diffusers cannot load it: ValueError",
        ),
        (
            lambda t: {name.replace("conv1", "conv9"): value for name, value in t.items()},
            "cannot load it|fits no layer",
        ),
        (lambda t: {name: value for name, value in t.items() if "lora_A" in name}, "is half an update"),
        (
            lambda t: {name: torch.cat([value, value], 1) for name, value in t.items()},
            "RuntimeError: .*size mismatch for",
        ),
        (lambda t: {}, "holds no tensor"),
    ],
)
def test_tensors_that_do_not_fit_the_base_are_refused_before_they_are_loaded(
    spoiled: Path, spoil: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], words: str
) -> None:
    save_file(spoil(load_file(spoiled / WEIGHTS)), spoiled / WEIGHTS)
    file = file_of(spoiled, WEIGHTS)
    rewrite_card(
        spoiled, files=[{"path": WEIGHTS, "bytes": file.bytes, "sha256": file.sha256}], revision=revision_of([file])
    )
    with pytest.raises(ModelRefused, match=words):
        preload(spoiled)
