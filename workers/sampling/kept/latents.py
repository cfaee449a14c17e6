"""Latents of sources: what an autoencoder made of a picture is kept, and given again for the same pixels.

What is kept is the distribution, before anything is drawn from it: a run gets the bits that it would have computed,
whatever its seeds. Variants of one picture, and a campaign that asks for one picture in many ways, encode it once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils import BaseOutput

from workers import metrics
from workers.sampling.kept.embeddings import KeptOutputs, digest_of
from workers.sampling.pipelines import Loaded

MOST_BYTES = 256 << 20  # of 1024 x 1024 pixels, about 500 pictures
_HIT, _MISS = (metrics.SOURCE_LATENTS.labels(result) for result in ("hit", "miss"))


class SourceLatents:
    """Of one worker. Used by the thread that holds the GPU lock."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: KeptOutputs[BaseOutput] = KeptOutputs(most_bytes)

    def remember(self, revision: str, loaded: Loaded) -> None:
        """From now on the autoencoder of this pipeline is asked once for the same pixels."""
        for name, part in getattr(loaded.pipe, "components", {}).items():
            if name in ("vae", "movq") and hasattr(part, "encode"):
                part.encode = partial(self._encode, f"{revision} {name}", part.encode)

    def forget(self) -> None:
        """Give the memory back."""
        self._kept.forget()

    def _encode(self, encoder: str, encode: Callable[..., Any], *args: Any, **more: Any) -> Any:
        key = digest_of(encoder, args, more)
        if key is not None and (kept := self._kept.get(key)) is not None:
            _HIT.inc()
            return _copy(kept)
        made = encode(*args, **more)
        _MISS.inc()
        if key is not None and isinstance(made, BaseOutput):
            self._kept.keep(key, _copy(made), sum(_tensor(value).nbytes for value in made.values()))
        return made


def _copy(made: BaseOutput) -> BaseOutput:
    """With tensors of its own: pipelines may write into what they are given."""
    return type(made)(**{name: _cloned(value) for name, value in made.items()})


def _cloned(value: Any) -> Any:
    own = _tensor(value).clone()
    return DiagonalGaussianDistribution(own, value.deterministic) if _is_spread(value) else own


def _tensor(value: Any) -> torch.Tensor:
    tensor: torch.Tensor = value.parameters if _is_spread(value) else value
    return tensor


def _is_spread(value: Any) -> bool:
    return isinstance(value, DiagonalGaussianDistribution)
