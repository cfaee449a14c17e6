"""LoRA adapters on a pipeline: loaded once, kept while there is room, switched and scaled without reading a file again.

diffusers' own loader reads the layouts there are: its own, PEFT's, kohya's with alpha, attention processors, parts for
text encoders, DoRA, and the strength in a file's header. It gets the path of a file that our rules checked. What it
does not say is whether a tensor found its layer, so that is checked here. Without adapters a pipeline is as it was
loaded, to the last bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
import torch
from safetensors import safe_open
from torch import Tensor

from workers.errors import ModelRefused
from workers.sampling.cards.extras import AdapterCard
from workers.sampling.device.faults import is_out_of_memory
from workers.sampling.files.folder_rules import check_extra
from workers.sampling.pipelines import Loaded, in_a_line

log = structlog.get_logger()
KEPT = 8  # adapters in memory beside one model; each is a few percent of it
_HALVES = (("lora_A", "lora_B"), (".down.", ".up."), ("lora_down", "lora_up"))
_NOT_READ = "dora_scale"  # kohya's DoRA: diffusers leaves it out and would draw at another strength


def check_adapter(card: AdapterCard, loaded: Loaded) -> None:
    """Loads it once to see that every tensor finds its layer. Raises ModelMissing and ModelRefused."""
    _load(card, loaded)


def use_adapters(loaded: Loaded, wanted: Sequence[tuple[AdapterCard, float]]) -> None:
    """Exactly these adapters, at these scales. Raises as `check_adapter` does; the pipeline is then as it was."""
    asked = {_key(card): scale for card, scale in wanted}
    if asked == loaded.adapters:
        return
    for card, _ in wanted:
        _load(card, loaded)
    _make_room(loaded, asked)
    if asked:
        loaded.pipe.enable_lora()
        loaded.pipe.set_adapters(list(asked), list(asked.values()))
    else:
        loaded.pipe.disable_lora()
    loaded.adapters.clear()
    loaded.adapters.update(asked)
    log.info("adapters_used", adapters=[card.name for card, _ in wanted])


def _load(card: AdapterCard, loaded: Loaded) -> None:
    key = _key(card)
    if key in loaded.resident:
        loaded.resident.move_to_end(key)
        return
    path, pipe = check_extra(card), loaded.pipe
    if not hasattr(pipe, "load_lora_weights"):
        raise _refused(card, f"{type(pipe).__name__} takes no LoRA")
    try:
        _check_read(card, path)
        tensors = _converted(pipe, path)
        _check_whole(card, tensors)
        pipe.load_lora_weights(
            str(path.parent), weight_name=path.name, adapter_name=key, use_safetensors=True, local_files_only=True
        )
        _check_bound(card, tensors, _bound(loaded, key))
    except Exception as error:
        _forget(loaded, key)
        if isinstance(error, ModelRefused) or is_out_of_memory(error):
            raise
        raise _refused(card, f"diffusers cannot load it: {in_a_line(error)}") from error
    pipe.disable_lora()  # loading turns it on
    loaded.adapters.clear()
    loaded.resident[key] = None


def _check_read(card: AdapterCard, path: Path) -> None:
    with safe_open(path, "pt") as file:
        lost = next((name for name in file.keys() if _NOT_READ in name), None)  # noqa: SIM118 - no mapping
    if lost is not None:
        raise _refused(card, f"{lost!r} is kohya's layout of DoRA, which diffusers does not read")


def _make_room(loaded: Loaded, asked: Mapping[str, float]) -> None:
    for key in [*loaded.resident]:
        if len(loaded.resident) > KEPT and key not in asked:
            _forget(loaded, key)


def _forget(loaded: Loaded, key: str) -> None:
    loaded.resident.pop(key, None)
    if any(key in getattr(part, "peft_config", {}) for part in _parts(loaded)):
        loaded.pipe.delete_adapters(key)


def _converted(pipe: Any, path: Path) -> dict[str, Tensor]:
    """The file's tensors in diffusers' own layout."""
    unet = getattr(pipe, "unet", None)
    more = {} if unet is None else {"unet_config": unet.config}
    found = type(pipe).lora_state_dict(
        str(path.parent), weight_name=path.name, use_safetensors=True, local_files_only=True, **more
    )
    tensors: dict[str, Tensor] = found[0] if isinstance(found, tuple) else found
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(".alpha")}


def _check_whole(card: AdapterCard, tensors: Mapping[str, Tensor]) -> None:
    if not tensors:
        raise _refused(card, "it holds no tensor")
    for name in tensors:
        for one, other in (pair for halves in _HALVES for pair in (halves, halves[::-1])):
            if one in name and name.replace(one, other) not in tensors:
                raise _refused(card, f"{name!r} is half an update: there is no {name.replace(one, other)!r}")


def _check_bound(card: AdapterCard, tensors: Mapping[str, Tensor], bound: list[Tensor]) -> None:
    """Every tensor of the file is in the pipeline now: a key that fits no layer is left out there without a word."""
    dtype = bound[0].dtype if bound else torch.float32
    there = {_digest(tensor) for tensor in bound}
    for name, tensor in tensors.items():
        if _digest(tensor.to(dtype)) not in there:
            raise _refused(card, f"{name!r} fits no layer of its base")


def _bound(loaded: Loaded, key: str) -> list[Tensor]:
    return [
        tensor
        for part in _parts(loaded)
        for name, tensor in part.state_dict().items()
        if "lora" in name and key in name.split(".")
    ]


def _parts(loaded: Loaded) -> Iterator[Any]:
    parts = (getattr(loaded.pipe, name, None) for name in loaded.family.adapts)
    return (part for part in parts if part is not None)


def _digest(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    return hashlib.sha256(flat.numpy().tobytes()).digest()


def _key(card: AdapterCard) -> str:
    """A name for peft, which builds attribute names of it: no full stops, and one for each revision."""
    return f"adapter_{card.revision.removeprefix('sha256:')[:32]}"


def _refused(card: AdapterCard, why: str) -> ModelRefused:
    return ModelRefused(f"adapter {card.name}: {why}")
