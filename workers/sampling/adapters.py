"""LoRA adapters, put on a pipeline and taken off again. Only what fits the pipeline's UNet, tensor by tensor.

diffusers' own loader does the work (through peft). It gets tensors, not a path: the file was checked by our rules and
read once. A pipeline without adapters is the pipeline as it was loaded, to the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from safetensors.torch import load_file
from torch import Tensor

from workers.errors import ModelRefused
from workers.sampling.extras import AdapterCard
from workers.sampling.folder_rules import check_extra
from workers.sampling.pipelines import Loaded

log = structlog.get_logger()
_KEY = re.compile(r"unet\.(?P<module>[a-z0-9_.]+)\.lora_(?P<side>[AB])\.weight")
_SIDES = ("A", "B")


def check_adapter(card: AdapterCard, pipe: Any) -> dict[str, Tensor]:
    """The adapter's tensors, once file and shapes are those of its card and base. Raises ModelMissing, ModelRefused."""
    path = check_extra(card)
    tensors: dict[str, Tensor] = load_file(path)
    modules: Mapping[str, Any] = dict(pipe.unet.named_modules())
    ranks: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        found = _KEY.fullmatch(key)
        if found is None:
            raise _refused(card, f"{key!r} is no LoRA weight of a UNet")
        ranks.setdefault(found["module"], {})[found["side"]] = tensor
    for name, sides in ranks.items():
        weight = getattr(_plain(modules.get(name)), "weight", None)
        if weight is None or set(sides) != set(_SIDES):
            raise _refused(card, f"{name!r} is no layer of its base, or only half an update of one")
        into, out = sides["A"], sides["B"]
        if into.shape[1:] != weight.shape[1:] or (out.shape[0], out.shape[1]) != (weight.shape[0], into.shape[0]):
            raise _refused(card, f"{name!r} does not have the shape of that layer of its base")
    if not ranks:
        raise _refused(card, "it holds no tensor")
    return tensors


def use_adapters(loaded: Loaded, wanted: Sequence[tuple[AdapterCard, float]]) -> None:
    """Exactly these adapters, at these scales. Raises as `check_adapter` does; the pipeline then has none."""
    asked = {f"{card.name}-{card.revision.removeprefix('sha256:')[:16]}": scale for card, scale in wanted}
    if asked == loaded.adapters:
        return
    _take_off(loaded)
    if not wanted:
        return
    tensors = [check_adapter(card, loaded.pipe) for card, _ in wanted]
    try:
        for name, some in zip(asked, tensors, strict=True):
            loaded.pipe.load_lora_weights(some, adapter_name=name)
        loaded.pipe.set_adapters(list(asked), list(asked.values()))
    except Exception:
        loaded.pipe.unload_lora_weights()
        raise
    loaded.adapters.update(asked)
    log.info("adapters_used", adapters=[card.name for card, _ in wanted])


def _take_off(loaded: Loaded) -> None:
    if loaded.adapters:
        loaded.pipe.unload_lora_weights()
        loaded.adapters.clear()


def _plain(module: Any) -> Any:
    """The layer itself, where an adapter is wrapped around it."""
    return getattr(module, "base_layer", module)


def _refused(card: AdapterCard, why: str) -> ModelRefused:
    return ModelRefused(f"adapter {card.name}: {why}")
