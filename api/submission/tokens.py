"""Prompt tokens: how many a model reads of a prompt, and which words are cut off.

It loads the tokenizer of a model's folder with the `tokenizers` library alone, so the API can use it. A model from the
hub whose files are not here has none.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from workers.sampling.registry import ModelCard

_MOST_TOKENS = 100_000  # transformers writes 1e30 where a tokenizer states no limit
_WORD = re.compile(r"\S+")
_MOST_WORDS = 50_000  # remembered with their number of tokens


class PromptTokens:
    """The tokenizer that reads most of a prompt, with the number of tokens that it keeps."""

    def __init__(self, tokenizer: Any, room: int) -> None:
        self._tokenizer, self.room = tokenizer, room
        self._words: dict[str, int] = {}

    def count(self, text: str) -> int:
        """Tokens of the text. No token reaches over a space, so each word is counted once and remembered."""
        words = text.split()
        known = self._words
        for word in words:
            if word not in known:
                if len(known) >= _MOST_WORDS:
                    known.clear()
                known[word] = len(self._tokenizer.encode(word, add_special_tokens=False).ids)
        return sum(known.get(word, len(word)) for word in words)

    def cut(self, text: str, most: int) -> str:
        """The text up to its token number `most`, without a half word at the end."""
        kept, lost = self._parts(text, most)
        if lost and kept and not kept[-1].isspace() and not lost[0].isspace():
            whole = kept.rsplit(maxsplit=1)
            kept = whole[0] if len(whole) > 1 else kept
        return kept.rstrip(" ,;")

    def lost(self, text: str) -> str:
        """What the model does not read of the text, from the first word that it does not read whole."""
        if self.count(text) <= self.room:
            return ""
        left = self.room
        for word in _WORD.finditer(text):
            left -= self.count(word.group())
            if left < 0:
                return text[word.start() :].strip(" ,;")
        return ""

    def _parts(self, text: str, most: int) -> tuple[str, str]:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        if len(encoded.ids) <= most:
            return text, ""
        end = encoded.offsets[most - 1][1] if most else 0
        return text[:end], text[end:]


def prompt_tokens(card: ModelCard) -> PromptTokens | None:
    """The tokens of the model, or None where its folder holds no tokenizer that can be read here."""
    if card.source.folder is None:
        return None
    folder = card.home / card.source.folder
    reads = card.family.reads.items()  # a window is what the encoder reads, whatever its tokenizer could take
    found = [loaded for name, limit in reads if (loaded := _load(folder / name, limit))]
    return max(found, key=lambda tokens: tokens.room, default=None)


@lru_cache(maxsize=32)
def _load(folder: Path, limit: int | None = None) -> PromptTokens | None:
    """A tokenizer.json, or the vocabulary and merges of CLIP."""
    config = folder / "tokenizer_config.json"
    if not config.is_file():
        return None
    from tokenizers import Tokenizer  # noqa: PLC0415 - 50 ms that most processes do not need
    from tokenizers.implementations.char_level_bpe import CharBPETokenizer  # noqa: PLC0415

    tokenizer: Any
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        tokenizer = CharBPETokenizer(
            str(folder / "vocab.json"),
            str(folder / "merges.txt"),
            unk_token="<|endoftext|>",  # noqa: S106 - the token of an unknown word
            suffix="</w>",
            lowercase=True,
            split_on_whitespace_only=False,
        )
    else:
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    stated = limit or json.loads(config.read_text()).get("model_max_length")
    if not isinstance(stated, int) or not 2 < stated <= _MOST_TOKENS:
        return None
    return PromptTokens(tokenizer, stated - tokenizer.num_special_tokens_to_add(is_pair=False))
