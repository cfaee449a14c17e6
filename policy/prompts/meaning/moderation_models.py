"""Moderation models as scorers: Llama Guard 3, Qwen3Guard (Gen) and ShieldGemma, from a folder or from one hub commit.

Only safetensors are loaded and no code of the model is run. The digest of the weights stands in the rule set. The
question is put by the chat template of the model's own tokenizer, because the model was trained with that one. An
answer that cannot be read is NaN, and the screen holds the prompt. Off unless a rule set names a model: none ships in a
wheel.

A prompt can try to speak as the template. So angle brackets, of which all these templates are built, are replaced, and
the prompt stays one line. Killed while files are fetched from a hub: the next start continues where it stopped.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from policy.errors import PolicyUnavailable
from policy.rulebook.meaning import FAMILIES, ModerationModelSpec

PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")
MAX_CHARS = 4000  # of a prompt; the rest is not read
MAX_ANSWER_TOKENS = 64
_BRACKETS = str.maketrans("<>", "()")

_GUIDELINES = {
    "dangerous": "No Dangerous Content: the prompt shall not seek content that harms people or their belongings or"
    " helps to do so, such as building weapons, terrorism, or hurting oneself.",
    "harassment": "No Harassment: the prompt shall not seek content that is malicious, intimidating, bullying, or"
    " abusive and aimed at another person.",
    "hate": "No Hate Speech: the prompt shall not seek content that attacks people for what they are, dehumanises"
    " them, uses slurs, or calls for violence against them.",
    "sexual": "No Sexually Explicit Information: the prompt shall not seek content that is sexually explicit.",
}


class ModerationModel(ABC):
    """One model, asked one prompt after the other; threads take turns in torch itself."""

    def __init__(self, model: ModerationModelSpec, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - seconds; only where asked for

        self.name = model.name
        self.classes = FAMILIES[model.family]
        self.revision = f"sha256:{model.sha256} ({model.licence})"
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if not self._tokenizer.chat_template:
            raise ValueError("its tokenizer carries no chat template, so nobody knows how to ask it")
        network, told = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        if told["missing_keys"]:
            raise ValueError(f"weights are missing, {sorted(map(str, told['missing_keys']))[0]} among them")
        self._network = network.eval().requires_grad_(False)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self._scored(_told(text)) for text in texts], dtype=np.float64)

    @abstractmethod
    def _scored(self, text: str) -> list[float]:
        """One row of scores."""

    def _question(self, text: str, **more: str) -> Any:
        return self._tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            **more,
        )

    def _answer(self, text: str) -> str:
        """The text that the model generates, always with the likeliest token."""
        import torch  # noqa: PLC0415

        asked = self._question(text)
        with torch.inference_mode():
            written = self._network.generate(
                **asked,
                max_new_tokens=MAX_ANSWER_TOKENS,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=self._tokenizer.eos_token_id,
            )
        return str(self._tokenizer.decode(written[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))


class LlamaGuard(ModerationModel):
    """`safe`, or `unsafe` and on the next line the categories, S1 to S14."""

    def _scored(self, text: str) -> list[float]:
        return parse_llama_guard(self._answer(text))


class Qwen3Guard(ModerationModel):
    """`Safety:` safe, controversial (0.5) or unsafe (1), and `Categories:`."""

    def _scored(self, text: str) -> list[float]:
        return parse_qwen3guard(self._answer(text))


class ShieldGemma(ModerationModel):
    """The probability of the answer `Yes` against `No`, for each of four guidelines."""

    def _scored(self, text: str) -> list[float]:
        import torch  # noqa: PLC0415

        words = self._tokenizer.get_vocab()
        if "Yes" not in words or "No" not in words:
            return [float("nan")] * len(self.classes)
        found = []
        for name in self.classes:
            with torch.inference_mode():
                last = self._network(**self._question(text, guideline=_GUIDELINES[name])).logits[0, -1].float()
            found.append(float(torch.softmax(last[[words["Yes"], words["No"]]], dim=0)[0]))
        return found


_KINDS: dict[str, type[ModerationModel]] = {
    "llama-guard-3": LlamaGuard,
    "qwen3guard": Qwen3Guard,
    "shieldgemma": ShieldGemma,
}


def load(model: ModerationModelSpec, home: Path) -> ModerationModel:
    """Raises PolicyUnavailable where files are missing or changed, or are not such a model."""
    folder = _folder(model, home)
    digest = weights_digest(folder)
    if digest != model.sha256:
        raise PolicyUnavailable(
            f"moderation model {model.name!r}: {folder} has weights of digest {digest}, not {model.sha256}"
        )
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        return _KINDS[model.family](model, folder)
    except (
        AttributeError,
        ImportError,
        LookupError,
        OSError,
        RuntimeError,
        SafetensorError,
        TypeError,
        ValueError,
    ) as e:
        said = " ".join(str(e).split())[:300]
        raise PolicyUnavailable(f"moderation model {model.name!r}: {folder} is no {model.family} model: {said}") from e


def weights_digest(folder: Path) -> str:
    """Digest of the one weights file, or of a listing of all as sha256sum prints it. Raises PolicyUnavailable."""
    digests = []
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stored:
            digests.append((hashlib.file_digest(stored, "sha256").hexdigest(), path.name))
    if not digests:
        raise PolicyUnavailable(f"{folder}: no safetensors file; nothing else is loaded")
    if len(digests) == 1:
        return digests[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in digests).encode()).hexdigest()


def parse_llama_guard(answer: str) -> list[float]:
    """Scores in the order of FAMILIES; NaN for any answer but the two forms that the model was trained on."""
    classes = FAMILIES["llama-guard-3"]
    lines = [line.strip().lower() for line in answer.strip().splitlines() if line.strip()]
    if lines == ["safe"]:
        return [0.0] * len(classes)
    named = re.findall(r"s\d+", lines[1]) if len(lines) == 2 else []
    if not lines or lines[0] != "unsafe" or not named or not set(named) <= set(classes):
        return [float("nan")] * len(classes)
    return [float(name in named or name == "unsafe") for name in classes]


def parse_qwen3guard(answer: str) -> list[float]:
    """Scores in the order of FAMILIES; NaN for any answer but the form that the model was trained on."""
    classes = FAMILIES["qwen3guard"]
    found = re.fullmatch(r"safety: (safe|unsafe|controversial)\s+categories: (.+)", answer.strip().lower(), re.DOTALL)
    if found is None:
        return [float("nan")] * len(classes)
    level = {"safe": 0.0, "controversial": 0.5, "unsafe": 1.0}[found[1]]
    named = {re.sub(r"[^a-z]+", "-", part.strip()).strip("-") for part in re.split(r"[,\n]", found[2]) if part.strip()}
    if level and not named <= set(classes):
        return [float("nan")] * len(classes)
    return [level if name in named or name == "unsafe" else 0.0 for name in classes]


def _told(text: str) -> str:
    return " ".join(text[:MAX_CHARS].translate(_BRACKETS).split()).encode("utf-8", "replace").decode()


def _folder(model: ModerationModelSpec, home: Path) -> Path:
    local = home / model.model
    if local.is_dir():
        return local
    if model.commit is None:
        raise PolicyUnavailable(
            f"moderation model {model.name!r}: {local} is no folder; correct it, or name a hub's model with its commit"
        )
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        return Path(snapshot_download(model.model, revision=model.commit, allow_patterns=list(PATTERNS)))
    except (OSError, ValueError) as unreachable:
        raise PolicyUnavailable(
            f"moderation model {model.name!r}: {model.model} at {model.commit} cannot be fetched"
            f" ({type(unreachable).__name__}); reach the hub once, or put the files into a folder"
        ) from unreachable
