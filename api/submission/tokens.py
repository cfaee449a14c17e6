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

from policy.prompts.weights import read_weights
from workers.sampling.cards.registry import ModelCard

_MOST_TOKENS = 100_000  # transformers writes 1e30 where a tokenizer states no limit
_WORD = re.compile(r"\S+")
_LONG_WORD = 8  # tokens
_OF_A_SPACE = 3  # bytes of the sign that sentencepiece writes for it
_MOST_WORDS = 50_000  # remembered with their number of tokens


class PromptTokens:
    """The tokenizer that reads most of a prompt, with the number of tokens that it keeps."""

    def __init__(self, tokenizer: Any, room: int) -> None:
        self._tokenizer, self.room = tokenizer, room
        self._before = " " if "ByteLevel" in repr(tokenizer.pre_tokenizer) else ""  # its tokens hold the space before
        self._words: dict[str, int] = {}

    def count(self, text: str) -> int:
        """Tokens of the text. No token reaches over a space, so each word is counted once and remembered."""
        words = text.split()
        known = self._words
        for word in words:
            if word not in known:
                if len(known) >= _MOST_WORDS:
                    known.clear()
                known[word] = len(self._tokenizer.encode(self._before + word, add_special_tokens=False).ids)
        return sum(known.get(word, len(word)) for word in words)

    def cut(self, text: str, most: int) -> str:
        """The text up to its token number `most`, without a half word at the end."""
        kept, lost = self._parts(text, most)
        if lost and kept and not kept[-1].isspace() and not lost[0].isspace():
            whole = kept.rsplit(maxsplit=1)
            kept = whole[0] if len(whole) > 1 else kept
        return kept.rstrip(" ,;")

    def read_chars(self, text: str) -> int | None:
        """Characters before the first word that the model does not read whole; None: it reads all of the text."""
        if self._at_most(text) <= self.room or self.count(text) <= self.room:
            return None
        left = self.room
        for word in _WORD.finditer(text):
            tokens = self._words.get(word.group()) or self.count(word.group())
            if tokens > left:
                inside = tokens > _LONG_WORD and left > 0  # a script without spaces, or a code
                return word.start() + (len(self._parts(word.group(), left)[0]) if inside else 0)
            left -= tokens
        return None

    def sent_chars_read(self, text: str, syntax: str) -> int | None:
        """The same of a text in a prompt syntax, counted with its brackets: only its plain words are read."""
        if not syntax:
            return self.read_chars(text)
        weighed = read_weights(text)
        place = self.read_chars(weighed.plain)
        return None if place is None else weighed.sent_at(place)

    def _at_most(self, text: str) -> int:
        """No fewer than the tokens of the text. Article numbers differ in every row and would be counted once each.

        No tokenizer makes more of a plain word than one token a letter and three for the space before it.
        """
        known, most = self._words, 0
        for word in text.split():
            if (count := known.get(word)) is None:
                count = len(word) + _OF_A_SPACE if word.isascii() else self.count(word)
            most += count
        return most

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
    found = [loaded for name, limit in reads if (loaded := load_tokens(folder / name, limit))]
    return max(found, key=lambda tokens: tokens.room, default=None)


@lru_cache(maxsize=32)
def load_tokens(folder: Path, limit: int | None = None) -> PromptTokens | None:
    """A tokenizer.json, or the vocabulary and merges of CLIP or of a byte-level BPE such as Qwen's."""
    if not (folder / "tokenizer_config.json").is_file():
        return None
    config = json.loads((folder / "tokenizer_config.json").read_text())
    from tokenizers import Tokenizer  # noqa: PLC0415 - 50 ms that most processes do not need
    from tokenizers.implementations.byte_level_bpe import ByteLevelBPETokenizer  # noqa: PLC0415
    from tokenizers.implementations.char_level_bpe import CharBPETokenizer  # noqa: PLC0415

    tokenizer: Any
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        files = str(folder / "vocab.json"), str(folder / "merges.txt")
        if "CLIP" not in config.get("tokenizer_class", "CLIP"):
            tokenizer = ByteLevelBPETokenizer(*files)
        else:
            tokenizer = CharBPETokenizer(
                *files,
                unk_token="<|endoftext|>",  # noqa: S106 - the token of an unknown word
                suffix="</w>",
                lowercase=True,
                split_on_whitespace_only=False,
            )
    else:
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    stated = limit or config.get("model_max_length")
    if not isinstance(stated, int) or not 2 < stated <= _MOST_TOKENS:
        return None
    return PromptTokens(tokenizer, stated - tokenizer.num_special_tokens_to_add(is_pair=False))
