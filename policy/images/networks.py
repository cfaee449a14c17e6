"""Image networks in the layout of transformers: any image classification model, and CompVis's safety checker.

They are loaded from a folder or from a hub at one commit: safetensors only, no code of the model, and the digest of the
weights stands in the rule set. A file that lacks a weight is refused, because transformers would fill it with random
numbers. Pictures are prepared as the model's own preprocessor_config.json says. Networks run on the CPU; a run releases
the interpreter lock.

Killed while files are fetched from a hub: the next start continues where it stopped.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from policy.errors import PolicyUnavailable
from policy.rulebook.classifiers import NetworkPart

WEIGHTS = "model.safetensors"
FILES = (WEIGHTS, "config.json", "preprocessor_config.json")
MOST_AT_ONCE = 16  # pictures a run


class _Network(ABC):
    """One model, shared by all threads."""

    def __init__(self, part: NetworkPart, folder: Path) -> None:
        from transformers import AutoImageProcessor  # noqa: PLC0415 - seconds, and only where a rule set asks for it

        self.name = part.name
        self.revision = f"sha256:{part.sha256} ({part.licence})"
        self._model = _loaded(self._family(), folder)
        self._prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")

    @abstractmethod
    def _family(self) -> Any:
        """The transformers class."""

    @abstractmethod
    def _score(self, pixels: torch.Tensor) -> torch.Tensor:
        """float [N, classes]."""

    def scores(self, images: np.ndarray) -> np.ndarray:
        runs = [images[start : start + MOST_AT_ONCE] for start in range(0, len(images), MOST_AT_ONCE)]
        return np.concatenate([self._run(list(run)) for run in runs])

    def _run(self, images: list[np.ndarray]) -> np.ndarray:
        pixels = self._prepare(images=images, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.inference_mode():
            return np.asarray(self._score(pixels).float().numpy())


class ImageLabels(_Network):
    """Softmax over the model's own labels, in lower case: `nsfw` and `normal` for Falconsai's."""

    def __init__(self, part: NetworkPart, folder: Path) -> None:
        super().__init__(part, folder)
        labels = self._model.config.id2label
        self.classes = tuple(str(labels[number]).lower() for number in range(len(labels)))

    def _family(self) -> Any:
        from transformers import AutoModelForImageClassification  # noqa: PLC0415

        return AutoModelForImageClassification

    def _score(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self._model(pixel_values=pixels).logits.float(), dim=-1)


class SafetyChecker(_Network):
    """The margin of the closest of CompVis's seventeen concepts over that concept's threshold.

    The score is (1 + margin) / 2: from 0.5 on, the checker itself would blacken the picture. The three special concepts
    lower the thresholds of the others by 0.01, as in the original.
    """

    classes = ("concept",)

    def _family(self) -> Any:
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker  # noqa: PLC0415

        return StableDiffusionSafetyChecker

    def _score(self, pixels: torch.Tensor) -> torch.Tensor:
        model = self._model
        seen = model.visual_projection(model.vision_model(pixels)[1]).float()
        special = (_cosines(seen, model.special_care_embeds) - model.special_care_embeds_weights > 0).any(dim=1)
        margins = _cosines(seen, model.concept_embeds) - model.concept_embeds_weights + 0.01 * special[:, None]
        return ((1 + margins.max(dim=1, keepdim=True).values) / 2).clamp(0, 1)


def load(part: NetworkPart, home: Path) -> ImageLabels | SafetyChecker:
    """Raises PolicyUnavailable where files are missing, changed, or not of such a model."""
    folder = _folder(part, home)
    _check_digest(part, folder / WEIGHTS)
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        return (SafetyChecker if part.kind == "safety-checker" else ImageLabels)(part, folder)
    except (
        AttributeError,
        ImportError,
        LookupError,
        OSError,
        RuntimeError,
        SafetensorError,
        TypeError,
        ValueError,
    ) as wrong:
        said = " ".join(str(wrong).split())[:300]
        raise PolicyUnavailable(f"classifier {part.name!r}: {folder} is no {part.kind} model: {said}") from wrong


def _loaded(family: Any, folder: Path) -> Any:
    model, told = family.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
    )
    left = sorted(map(str, (*told["missing_keys"], *told["mismatched_keys"])))
    if left:
        raise ValueError(f"{len(left)} weights are not in {WEIGHTS} or have another shape, {left[0]} among them")
    return model.eval().requires_grad_(False)


def _folder(part: NetworkPart, home: Path) -> Path:
    local = home / part.model
    if local.is_dir():
        return local
    if part.commit is None:
        raise PolicyUnavailable(
            f"classifier {part.name!r}: {local} is no folder; correct the path, or name a hub's model with its commit"
        )
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        return Path(snapshot_download(part.model, revision=part.commit, allow_patterns=list(FILES)))
    except (OSError, ValueError) as unreachable:
        raise PolicyUnavailable(
            f"classifier {part.name!r}: {part.model} at {part.commit} cannot be had ({type(unreachable).__name__});"
            " reach the hub once, or put the files into a folder"
        ) from unreachable


def _check_digest(part: NetworkPart, path: Path) -> None:
    try:
        with path.open("rb") as stored:
            digest = hashlib.file_digest(stored, "sha256").hexdigest()
    except OSError as missing:
        raise PolicyUnavailable(
            f"classifier {part.name!r}: {path} cannot be read ({missing.strerror}); safetensors only"
        ) from missing
    if digest != part.sha256:
        raise PolicyUnavailable(
            f"classifier {part.name!r}: {path} has sha256 {digest}, the rule set records {part.sha256};"
            " restore the file, or record the new digest: it makes a new policy version"
        )


def _cosines(seen: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(seen) @ torch.nn.functional.normalize(known.float()).T
