"""Single-file checkpoints, converted offline to a pipeline's folder by diffusers' own `from_single_file`.

Such a file has weights alone. Configurations and tokenizers come from a folder of the same family.
"""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import safe_open

from workers.errors import ModelRefused
from workers.sampling.families.table import family_of
from workers.sampling.files.new_card import pipeline_of
from workers.sampling.files.safetensors_header import check_safetensors
from workers.sampling.pipelines import in_a_line, keep_libraries_quiet

# Keys that merge tools leave in checkpoints whose configuration would not say so.
_V_PREDICTION, _ZERO_SNR = "v_pred", "ztsnr"


def convert(file: Path, like: Path, target: Path) -> None:
    """Writes the folder of a pipeline with this file's weights and the configuration of `like`.

    Weights that the file lacks are an error, never random. Raises ModelRefused.
    """
    check_safetensors(file)
    pipeline = pipeline_of(like)
    marks = _marks(file)
    keep_libraries_quiet()
    try:
        pipe: Any = getattr(diffusers, pipeline).from_single_file(
            str(file), config=str(like), local_files_only=True, dtype=torch.float32, **family_of(pipeline).load
        )
    except Exception as error:
        raise ModelRefused(f"{file}: diffusers cannot convert it as {pipeline}: {in_a_line(error)}") from error
    _check_complete(file, pipe)
    if _V_PREDICTION in marks:
        pipe.scheduler = _v_prediction(pipe.scheduler, zero_snr=_ZERO_SNR in marks)
    pipe.save_pretrained(str(target), safe_serialization=True)
    for name in ("LICENSE", "LICENSE.md", "NOTICE"):
        if (file.parent / name).is_file():
            shutil.copyfile(file.parent / name, target / name)


def _marks(file: Path) -> set[str]:
    with safe_open(file, "pt") as opened:
        return {key for key in opened.keys() if key in (_V_PREDICTION, _ZERO_SNR)}  # noqa: SIM118 - no mapping


def _v_prediction(scheduler: Any, *, zero_snr: bool) -> Any:
    """The scheduler, or Euler where its class cannot start from pure noise, as zero terminal SNR asks."""
    if not zero_snr:
        return type(scheduler).from_config(scheduler.config, prediction_type="v_prediction")
    fits = "rescale_betas_zero_snr" in inspect.signature(type(scheduler).__init__).parameters
    return (type(scheduler) if fits else diffusers.EulerDiscreteScheduler).from_config(
        scheduler.config, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
    )


def _check_complete(file: Path, pipe: Any) -> None:
    """A tensor on the meta device, or one that is not finite, was in no file."""
    for part, module in pipe.components.items():
        if not isinstance(module, torch.nn.Module):
            continue
        for name, tensor in module.named_parameters():
            if tensor.is_meta:
                raise ModelRefused(f"{file}: has no weights for {part}: {name}")
            if not torch.isfinite(tensor).all():
                raise ModelRefused(f"{file}: {part}: {name} holds NaN or infinity")
