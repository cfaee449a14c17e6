"""Layouts of LoRA files: each draws what plain `load_lora_weights` draws, to the last bit, for SD and SDXL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import yaml
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from tests.support.tiny_models.instances import build
from workers.errors import ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Lora, Recipe
from workers.sampling.adapters import use_adapters
from workers.sampling.cards.contents import CARD, file_of, revision_of
from workers.sampling.cards.extras import AdapterCard, read
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.sampler import DiffusersSampler

FILE = "pytorch_lora_weights.safetensors"
RANK, ALPHA = 4, 16  # an alpha that is lost draws at a quarter of the strength
CPU = torch.device("cpu")
Tensors = dict[str, torch.Tensor]


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


class Base:
    """A tiny model and LoRA weights for it, by component and layer."""

    def __init__(self, models_dir: Path, name: str) -> None:
        self.card = build(models_dir, name)
        self.parts = {"unet": ["to_q", "to_out.0", "conv1"], "text_encoder": ["q_proj", "out_proj"]}
        if name == "sdxl":
            self.parts["text_encoder_2"] = ["q_proj", "out_proj"]

    def fresh(self) -> Loaded:
        return load_pipeline(self.card, CPU)

    @cache  # noqa: B019 - as long as the module
    def weights(self, *, dora: bool = False) -> dict[str, Tensors]:
        """By component: peft's keys, "...to_q.lora_A.weight"."""
        pipe, found = self.fresh().pipe, {}
        torch.manual_seed(3)
        for part, targets in self.parts.items():
            config = LoraConfig(
                r=RANK, lora_alpha=ALPHA, init_lora_weights=False, target_modules=targets, use_dora=dora
            )
            getattr(pipe, part).add_adapter(config)
            layers = get_peft_model_state_dict(getattr(pipe, part))
            found[part] = {
                key: 0.3 * torch.randn_like(value) if "lora_m" not in key else value for key, value in layers.items()
            }
        return found

    def __hash__(self) -> int:
        return hash(self.card.name)


def _drawn(key: str, value: torch.Tensor) -> torch.Tensor:
    """Magnitudes of DoRA stay those of the layer; what is trained is random."""
    return value if "magnitude" in key else 0.3 * torch.randn_like(value)


def peft(base: Base) -> tuple[Tensors, dict[str, str]]:
    """As diffusers and peft save today; alpha is in the file's header alone."""
    tensors = {f"{part}.{key}": value for part, some in base.weights().items() for key, value in some.items()}
    config = {f"{part}.r": RANK for part in base.parts} | {f"{part}.lora_alpha": ALPHA for part in base.parts}
    targets = {f"{part}.target_modules": names for part, names in base.parts.items()}
    return tensors, {"lora_adapter_metadata": json.dumps(config | targets), "format": "pt"}


def without_alpha(base: Base) -> tuple[Tensors, dict[str, str]]:
    return peft(base)[0], {}


def older(base: Base) -> tuple[Tensors, dict[str, str]]:
    """As diffusers wrote before peft: `.lora.down`, for text encoders `lora_linear_layer`."""
    tensors = {}
    for part, some in base.weights().items():
        middle = "lora" if part == "unet" else "lora_linear_layer"
        for key, value in some.items():
            name = key.replace("lora_A", f"{middle}.down").replace("lora_B", f"{middle}.up")
            tensors[f"{part}.{name}"] = value
    return tensors, {}


def attention_processors(base: Base) -> tuple[Tensors, dict[str, str]]:
    """As the first scripts wrote: only attention, below its processor."""
    tensors = {}
    for key, value in base.weights()["unet"].items():
        layer = next((name for name in ("to_q", "to_out.0") if f".{name}." in key), None)
        if layer is not None:
            half = "down" if "lora_A" in key else "up"
            place = key.split(f".{layer}.")[0]
            tensors[f"unet.{place}.processor.{layer.split('.')[0]}_lora.{half}.weight"] = value
    return tensors, {}


def kohya(base: Base) -> tuple[Tensors, dict[str, str]]:
    """Names in one word, each layer with an alpha of its own."""
    xl = len(base.parts) > 2
    prefixes = {"unet": "lora_unet", "text_encoder": "lora_te1" if xl else "lora_te", "text_encoder_2": "lora_te2"}
    tensors = {}
    for part, some in base.weights().items():
        for key, value in some.items():
            layer, half = key.rsplit(".lora_", 1)
            if part != "unet":  # as they are called in files, whatever the installed transformers calls them
                layer = f"text_model.{layer.removeprefix('text_model.')}"
            name = f"{prefixes[part]}_{layer.replace('.', '_')}"
            tensors[f"{name}.lora_{'down' if half.startswith('A') else 'up'}.weight"] = value
            tensors[f"{name}.alpha"] = torch.tensor(float(ALPHA))
    return tensors, {}


def dora(base: Base) -> tuple[Tensors, dict[str, str]]:
    some = base.weights(dora=True)["unet"]
    return {f"unet.{key}": value for key, value in some.items()}, {}


LAYOUTS = (peft, without_alpha, older, attention_processors, kohya, dora)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Base]:
    folder = tmp_path_factory.mktemp("models")
    return cache(lambda name: Base(folder, name))


@pytest.fixture(scope="module")
def ours(bases: Callable[[str], Base]) -> Callable[[str], Loaded]:
    """One pipeline of ours for all layouts: adapters come and go."""
    return cache(lambda name: bases(name).fresh())


def adapter(folder: Path, base: ModelCard, tensors: Tensors, metadata: dict[str, str]) -> AdapterCard:
    folder.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / FILE, metadata or None)
    file = file_of(folder, FILE)
    card = {
        "name": folder.name, "title": "Ink", "description": "Random weights.", "licence": "Apache-2.0",
        "allowed_use": "Tests.", "training_data": "None.", "training_pictures": [], "limits": ["Draws noise."],
        "base": {"name": base.name, "revision": base.revision}, "revision": revision_of([file]),
        "files": [asdict(file)],
    }  # fmt: skip
    (folder / CARD).write_text(yaml.safe_dump(card))
    return read(folder / CARD, AdapterCard)


def draw(loaded: Loaded, base: ModelCard, *asked: tuple[AdapterCard, float]) -> Any:
    registry = Registry({base.name: base}, adapters={card.name: card for card, _ in asked})
    sampler = DiffusersSampler(registry, "cpu", 1, load=lambda card, device: loaded)
    loras = tuple(Lora(card.name, scale, card.revision) for card, scale in asked)
    recipe = Recipe(base.name, base.revision, 16, 16, 2, base.scheduler, 2.0, loras=loras)
    items = tuple(ClaimedItem(f"i{n}", "r", "t", f"c{n}", 0, "a b", "", n) for n in range(2))
    return sampler.sample(Claim("b", 1, recipe, "gpu", items), Watch()).images


@pytest.mark.parametrize("name", ["sd-1.5", "sdxl"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_draws_what_plain_diffusers_draws(
    bases: Callable[[str], Base], ours: Callable[[str], Loaded], tmp_path: Path,
    layout: Callable[[Base], tuple[Tensors, dict[str, str]]], name: str,
) -> None:  # fmt: skip
    base = bases(name)
    card = adapter(tmp_path / "ink", base.card, *layout(base))
    bare = draw(ours(name), base.card)
    plain = base.fresh()
    plain.pipe.load_lora_weights(str(tmp_path / "ink"), weight_name=FILE)
    expected = draw_plain(plain, base.card)
    got = draw(ours(name), base.card, (card, 1.0))
    assert np.array_equal(got, expected)
    assert not np.array_equal(got, bare)
    assert np.array_equal(draw(ours(name), base.card), bare), "nothing is left of it"


def draw_plain(loaded: Loaded, base: ModelCard) -> Any:
    """What the pipeline draws as it is, with whatever it was loaded with."""
    pipe = loaded.pipe
    pipe.scheduler = getattr(diffusers, base.scheduler).from_config(loaded.scheduler_config)
    generators = [torch.Generator().manual_seed(n) for n in range(2)]
    with torch.inference_mode():
        images = pipe(
            ["a b", "a b"], width=16, height=16, num_inference_steps=2, guidance_scale=2.0, generator=generators,
            output_type="pt",
        ).images  # fmt: skip
    return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def test_the_alpha_of_a_header_counts(
    bases: Callable[[str], Base], ours: Callable[[str], Loaded], tmp_path: Path
) -> None:
    base = bases("sd-1.5")
    strong = adapter(tmp_path / "a" / "ink", base.card, *peft(base))
    weak = adapter(tmp_path / "b" / "ink", base.card, peft(base)[0] | {}, {"format": "pt"})
    assert not np.array_equal(
        draw(ours("sd-1.5"), base.card, (strong, 1.0)), draw(ours("sd-1.5"), base.card, (weak, 0.5))
    )


def test_another_scale_reads_no_file_again(
    bases: Callable[[str], Base], ours: Callable[[str], Loaded], tmp_path: Path
) -> None:
    base, loaded = bases("sd-1.5"), ours("sd-1.5")
    card = adapter(tmp_path / "ink", base.card, *kohya(base))
    full = draw(loaded, base.card, (card, 1.0))
    (tmp_path / "ink" / FILE).unlink()
    half = draw(loaded, base.card, (card, 0.5))
    assert not np.array_equal(half, full)
    assert np.array_equal(draw(loaded, base.card, (card, 1.0)), full)


def test_what_was_not_used_for_longest_leaves_memory(
    bases: Callable[[str], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sampling.adapters.KEPT", 2)
    base = bases("sd-1.5")
    loaded = base.fresh()
    cards = []
    for n in range(3):
        tensors = {key: value + n for key, value in without_alpha(base)[0].items()}
        cards.append(adapter(tmp_path / f"ink-{n}", base.card, tensors, {}))
    for card in cards:
        use_adapters(loaded, [(card, 1.0)])
    assert len(loaded.resident) == 2
    assert len(loaded.pipe.unet.peft_config) == 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t | {"some.layer.lora_A.weight": torch.ones(4, 8), "some.layer.lora_B.weight": torch.ones(8, 4)},
         "'some.layer.lora_A.weight' fits no layer of its base"),
        (lambda t: dict(list(t.items())[:-1]), "is half an update"),
        (lambda t: t | {"unet.conv_in.dora_scale": torch.ones(8)}, "kohya's layout of DoRA"),
        (lambda t: {key: torch.cat([value, value], -1) for key, value in t.items()}, "diffusers cannot load it: "),
        (lambda t: t | {"x.alpha": torch.ones(1)}, "diffusers cannot load it: "),
    ],
)  # fmt: skip
def test_what_plain_diffusers_would_leave_out_is_refused_by_name(
    bases: Callable[[str], Base], ours: Callable[[str], Loaded], tmp_path: Path,
    spoil: Callable[[Tensors], Tensors], words: str,
) -> None:  # fmt: skip
    base, loaded = bases("sd-1.5"), ours("sd-1.5")
    bare = draw(loaded, base.card)
    card = replace(adapter(tmp_path / "ink", base.card, spoil(without_alpha(base)[0]), {}))
    with pytest.raises(ModelRefused, match=f"adapter ink: .*{words}"):
        draw(loaded, base.card, (card, 1.0))
    assert np.array_equal(draw(loaded, base.card), bare)
