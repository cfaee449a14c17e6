"""Text embeddings: what a text encoder made of tokens is kept, and given again for the same tokens.

The whole input of a call is the key, so a run gets the bits that it would have computed: a batch of other prompts is
another key, even where it shares some. What gains is what repeats: the negative prompt of a campaign, variants of one
prompt, a picture that is drawn again. Kept in the memory of the device, within a bound, the last used the longest.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from transformers.utils import ModelOutput

from workers import metrics
from workers.sampling.pipelines import Loaded

T = TypeVar("T")
MOST_BYTES = 256 << 20  # about 60 prompts of T5-XXL, or 1,700 of CLIP
_HIT, _MISS = (metrics.TEXT_EMBEDDINGS.labels(result) for result in ("hit", "miss"))


class KeptOutputs(Generic[T]):
    """What networks made, by digest, within a bound of bytes, the last used the longest. One thread at a time."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: bytes, made: T, size: int) -> None:
        if size > self._most:
            return
        self._kept[key] = (made, size)
        self._bytes += size
        while self._bytes > self._most:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed

    def forget(self) -> None:
        """Give the memory back."""
        self._kept.clear()
        self._bytes = 0


class TextEmbeddings:
    """Of one worker. Used by the thread that holds the GPU lock."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: KeptOutputs[ModelOutput] = KeptOutputs(most_bytes)

    def remember(self, revision: str, loaded: Loaded) -> None:
        """From now on the text encoders of this pipeline are asked once for the same tokens and adapters."""
        for name, part in getattr(loaded.pipe, "components", {}).items():
            if "text_encoder" in name and isinstance(part, torch.nn.Module):
                part.forward = partial(self._encode, f"{revision} {name}", loaded.adapters, part.forward)

    def forget(self) -> None:
        """Give the memory back."""
        self._kept.forget()

    def _encode(
        self, encoder: str, adapters: Mapping[str, float], forward: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        key = digest_of(f"{encoder} {sorted(adapters.items())}", args, more)
        if key is not None and (kept := self._kept.get(key)):
            _HIT.inc()
            return _copy(kept)
        made = forward(*args, **more)
        _MISS.inc()
        if key is not None and isinstance(made, ModelOutput):
            self._kept.keep(key, _copy(made), sum(tensor.nbytes for tensor in _tensors(made)))
        return made


def digest_of(network: str, args: tuple[Any, ...], more: Mapping[str, Any]) -> bytes | None:
    """A digest of everything that a network reads. None where an argument is neither a tensor nor plain."""
    digest = hashlib.sha256(network.encode())
    for name, value in (*((str(n), value) for n, value in enumerate(args)), *sorted(more.items())):
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        elif value is None or isinstance(value, bool | int | float | str):
            digest.update(f"{name} {value!r} ".encode())
        else:
            return None
    return digest.digest()


def _copy(made: ModelOutput) -> ModelOutput:
    """With tensors of its own: pipelines may write into what they are given."""
    return type(made)(**{name: _cloned(value) for name, value in made.items()})


def _cloned(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    return tuple(map(_cloned, value)) if isinstance(value, tuple) else value


def _tensors(made: Any) -> Iterator[torch.Tensor]:
    for value in made.values() if isinstance(made, ModelOutput) else made:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, tuple):
            yield from _tensors(value)
