"""Resident pipelines: those that stay in memory, within a budget; the one not used for longest goes first.

Sizes are measured: the weights of every part, and of the adapters on it. A model that was never loaded counts with the
bytes of its files. One pipeline always stays, whatever its size.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import torch

from workers import metrics
from workers.errors import OutOfMemory
from workers.sampling.cards.registry import ModelCard
from workers.sampling.device.faults import empty_cache
from workers.sampling.files.digests import bring_near
from workers.sampling.pipelines import Load, Loaded, check_files

log = structlog.get_logger()
_SHARE_OF_DEVICE = 0.6  # the rest is for what a run needs beside the weights
_SHARE_OF_HOST = 0.4  # other processes live there too
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Pipelines:
    """The pipelines in memory. `get` and `free_others` are called by the thread that holds the GPU lock."""

    def __init__(
        self, device: torch.device, load: Load, budget: int, *, measure: Callable[[Loaded], int] | None = None
    ) -> None:
        self._device, self._load, self._budget = device, load, budget
        self._measure = measure or weights_of
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()  # by revision
        self._sizes: dict[str, int] = {}  # measured, of every model that was ever loaded
        self._now: dict[
            str, tuple[tuple[str, ...], int]
        ] = {}  # of those loaded now: adapters in memory, bytes with them

    def make_ready(self, card: ModelCard) -> None:
        """Fetch and check the files of a model that is not loaded, and have the system read them. Without the lock.

        Raises what `check_files` raises.
        """
        if card.revision not in self._loaded:
            folder = check_files(card)
            for file in card.files:
                bring_near(folder / file.path)

    def get(self, card: ModelCard) -> Loaded:
        """The pipeline of this card, loaded if need be. Raises what `load_pipeline` raises."""
        if card.revision not in self._loaded:
            self._make_room(self._sizes.get(card.revision) or sum(file.bytes for file in card.files))
            self._loaded[card.revision] = self._load_alone(card)
            self._sizes[card.revision] = self._measure(self._loaded[card.revision])
            metrics.MODEL_LOADS.inc()
        self._loaded.move_to_end(card.revision)
        self._make_room(0)
        metrics.MODEL_MEMORY.set(sum(self._size(revision) for revision in self._loaded))
        return self._loaded[card.revision]

    def free_others(self, card: ModelCard) -> bool:
        """Let go of every other pipeline, because a run of this one does not fit. False: there was none."""
        others = [revision for revision in self._loaded if revision != card.revision]
        for revision in others:
            self._let_go(revision)
        if others:
            empty_cache()
        return bool(others)

    def _load_alone(self, card: ModelCard) -> Loaded:
        """Loaded beside the others, or without them where it does not fit beside them."""
        try:
            return self._load(card, self._device)
        except OutOfMemory:
            if not self.free_others(card):
                raise
        return self._load(card, self._device)

    def _make_room(self, wanted: int) -> None:
        """Let go of those not used for longest until `wanted` more fit; with 0, of all but the last at the most."""
        sizes = {revision: self._size(revision) for revision in self._loaded}
        stay = 0 if wanted else 1
        while len(self._loaded) > stay and sum(sizes.values()) + wanted > self._budget:
            oldest = next(iter(self._loaded))
            self._let_go(oldest)
            del sizes[oldest]
            empty_cache()

    def _size(self, revision: str) -> int:
        """Measured once, and again when adapters came or went: it looks at every tensor."""
        loaded = self._loaded[revision]
        adapters = tuple(loaded.resident)
        known = self._now.get(revision)
        if known is None or known[0] != adapters:
            known = self._now[revision] = (adapters, self._measure(loaded))
        return known[1]

    def _let_go(self, revision: str) -> None:
        del self._loaded[revision]
        self._now.pop(revision, None)
        log.info("model_unloaded", revision=revision)


def weights_of(loaded: Loaded) -> int:
    """Bytes of the weights of every part, each tensor once; tasks of one model share them."""
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in _tensors(loaded)}.values())


def default_budget(device: torch.device) -> int:
    """Bytes for weights where nobody says how many."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory * _SHARE_OF_DEVICE)
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.is_file() else "max"
    return int(min(host, int(limit) if limit.isdigit() else host) * _SHARE_OF_HOST)


def _tensors(loaded: Loaded) -> Iterator[torch.Tensor]:
    for part in getattr(loaded.pipe, "components", {}).values():
        if isinstance(part, torch.nn.Module):
            yield from part.parameters()
            yield from part.buffers()
