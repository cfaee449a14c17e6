"""Pipelines of diffusers: find the folder, check it, only then open it.

safetensors only, no remote code, no network while a pipeline is opened. A pipeline is used by one
thread at a time: the one that holds the GPU lock.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import structlog
import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from workers.errors import HubUnavailable, ModelMissing, ModelRefused, OutOfMemory
from workers.sampling.calls import check_signature
from workers.sampling.cards.registry import ModelCard
from workers.sampling.device.faults import is_out_of_memory
from workers.sampling.device.speed import PLAIN, Speed
from workers.sampling.families.family import Call, Family
from workers.sampling.files.folder_rules import NOT_LOADED, check_folder

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A diffusers pipeline in memory. Every run puts its own scheduler in, made from the model's `scheduler_config`.

    `adapters` are those it wears now, with their scales: workers.sampling.adapters alone changes them. `speed` is how
    its weights were prepared (workers.sampling.device.speed).
    """

    pipe: Any
    scheduler_config: Mapping[str, Any]
    family: Family
    call: Call
    speed: Speed = PLAIN
    adapters: dict[str, float] = field(default_factory=dict)
    resident: OrderedDict[str, None] = field(default_factory=OrderedDict)  # adapters in memory, last used last
    others: dict[str, Any] = field(default_factory=dict)  # pipelines of other tasks, with the same weights

    @property
    def denoiser(self) -> Any:
        """Its transformer or UNet; None where it has neither."""
        return getattr(self.pipe, "transformer", None) or getattr(self.pipe, "unet", None)

    @property
    def dtype(self) -> torch.dtype:
        """What its denoiser computes in. The pipeline's own answer is that of its first part, often the autoencoder."""
        dtype: torch.dtype = getattr(self.denoiser, "dtype", torch.float32)
        return dtype

    def pipe_for(self, task: str) -> tuple[Any, Call]:
        """The pipeline of one of the family's tasks and how it is called. Weights are shared between tasks."""
        if self.family.calls.get(task) in (None, self.call):
            return self.pipe, self.call
        call = self.family.calls[task]
        if task not in self.others:
            # Named one by one: diffusers leaves out a part whose class the other pipeline does not annotate (tiny VAE).
            kept = self.pipe.components.keys() & _parameters(call.pipeline)
            parts = {name: self.pipe.components[name] for name in kept}
            self.others[task] = getattr(diffusers, call.pipeline).from_pipe(self.pipe, dtype=self.dtype, **parts)
            self.others[task].set_progress_bar_config(disable=True)
        return self.others[task], call


Load = Callable[[ModelCard, torch.device], Loaded]


def load_pipeline(card: ModelCard, device: torch.device) -> Loaded:
    """Checks every file of the model, then loads it.

    A CPU computes in float32, whatever the files are stored in; an accelerator in the card's dtype.
    Raises ModelMissing, ModelRefused, HubUnavailable, and OutOfMemory when the model alone does not fit.
    """
    folder = check_files(card)
    call = card.family.call_for(card.pipeline)
    check_signature(call)
    dtype = torch.float32 if device.type == "cpu" else getattr(torch, card.accelerator_dtype)
    try:
        pipe = getattr(diffusers, card.pipeline).from_pretrained(
            str(folder),
            dtype=dtype,
            variant=card.source.variant,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **card.family.load,
            **dict.fromkeys(NOT_LOADED & _parameters(card.pipeline)),
        )
        pipe.to(device)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"model {card.name} alone does not fit on {device}") from None
        raise ModelRefused(f"model {card.name}: diffusers cannot load it: {in_a_line(error)}") from error
    pipe.set_progress_bar_config(disable=True)
    log.info("model_loaded", model=card.name, revision=card.revision, device=str(device), dtype=str(dtype))
    scheduler_config = {**pipe.scheduler.config, "_class_name": type(pipe.scheduler).__name__}
    return Loaded(pipe, scheduler_config, card.family, call)


def check_files(card: ModelCard) -> Path:
    """The folder of a model whose files are there and keep every rule. Needs no lock.

    A file that this process hashed before is not hashed again. Raises ModelMissing, ModelRefused, HubUnavailable.
    """
    folder, boundary = _locate(card)
    check_folder(card, folder, boundary)
    return folder


def _parameters(pipeline: str) -> set[str]:
    return set(inspect.signature(getattr(diffusers, pipeline).__init__).parameters)


def in_a_line(error: Exception) -> str:
    """What a library said, in one line and not all of it: further lines list code and layers."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__


def keep_libraries_quiet() -> None:
    """Progress bars, advice and deprecations would break our JSON log lines; errors still come through them.

    diffusers also warns with the text of a prompt that it cut, and no prompt may enter a log: those
    loggers get a level of their own, so that no later word about the whole library reopens them.
    """
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.disable_progress_bar()
        library.disable_default_handler()
        library.enable_propagation()
        library.set_verbosity_error()
    disable_progress_bars()
    for name in ("diffusers.pipelines", "transformers.tokenization_utils_base", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("diffusers", "transformers", "huggingface_hub"):
        warnings.filterwarnings("ignore", category=FutureWarning, module=rf"{name}\..*")
    warnings.filterwarnings("ignore", message="Already found a `peft_config`")  # two adapters on purpose


def _locate(card: ModelCard) -> tuple[Path, Path]:
    """The folder with the model's files, and the folder that its links may not leave."""
    source = card.source
    if source.hub is None:
        folder = card.home / str(source.folder)
        if not folder.is_dir():
            raise ModelMissing(f"model {card.name}: there is no folder {folder}")
        return folder, folder
    try:
        snapshot = Path(
            snapshot_download(
                source.hub, revision=source.commit, allow_patterns=[file.path for file in card.files], max_workers=2
            )
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelMissing(
            f"model {card.name}: the hub has no {source.hub} at {source.commit}, or refuses access to it"
        ) from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise HubUnavailable(
            f"model {card.name}: {source.hub} at {source.commit} is not in the hub's cache here, and the hub did not"
            f" answer; download it on a machine with a connection, or give this one the connection"
        ) from error
    return snapshot, snapshot.parent.parent  # snapshots/<commit> links into blobs/, its sibling
