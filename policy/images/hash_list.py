"""Hash list classifier: similarity of a picture, also flipped or turned, to forbidden pictures, by perceptual hash.

A line of the file is `HASH CATEGORY NOTE`: 64 hex digits, one word, and words for people. `presswork policy hash`
prints such lines. Only hashes are kept, so a list can be passed on without the pictures that it forbids. A score is 1 -
bits / 128: 1 is the same picture, 0.76 is 31 bits (what the makers of PDQ call a match), others come to 0.2.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Self

import numpy as np

from policy.errors import PolicyUnavailable
from policy.fingerprints import HASH_BYTES, MIN_QUALITY, perceptual_hash, turned_hashes

MAX_BYTES = 256 * 1024 * 1024  # about two million lines
AT_ONCE = 65_536  # hashes compared in one step: 16 MB of differences
_CATEGORY = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LINE = re.compile(rb"([0-9a-f]{64})\s+([a-z][a-z0-9-]{0,39})(?:\s+(\S.*))?")


class HashList:
    """Scores by category. A low-texture picture has no hash of its own and scores 0 in every category."""

    def __init__(self, name: str, digest: str, entries: dict[str, np.ndarray]) -> None:
        """`entries`: category -> uint8 [N, 32]."""
        self.name = name
        self.classes = tuple(sorted(entries))
        self.revision = f"sha256:{digest} perceptual-hash/1"
        self._words = [np.ascontiguousarray(entries[category]).view(np.uint64) for category in self.classes]

    @classmethod
    def load(cls, name: str, path: Path, *, sha256: str) -> Self:
        """Raises PolicyUnavailable where the file is missing, is not the recorded one, or has a malformed line."""
        try:
            if path.stat().st_size > MAX_BYTES:
                raise PolicyUnavailable(f"{path}: longer than {MAX_BYTES:,} bytes; split the list")
            stored = path.read_bytes()
        except OSError as missing:
            raise PolicyUnavailable(f"{path}: cannot be read ({missing.strerror}); restore the list") from missing
        digest = hashlib.sha256(stored).hexdigest()
        if digest != sha256:
            raise PolicyUnavailable(
                f"{path}: the list has sha256 {digest}, the rule set records {sha256} for {name!r};"
                " restore the file, or record the new digest: it makes a new policy version"
            )
        return cls(name, digest, _parsed(path, stored))

    def scores(self, images: np.ndarray) -> np.ndarray:
        return np.array([self._closest(image) for image in images], np.float32)

    def _closest(self, image: np.ndarray) -> list[float]:
        _, quality = perceptual_hash(image)
        if quality < MIN_QUALITY:
            return [0.0] * len(self.classes)
        turns = np.frombuffer(b"".join(turned_hashes(image)), np.uint64).reshape(-1, 1, HASH_BYTES // 8)
        return [max(0.0, 1 - _fewest_bits(turns, words) / 128) for words in self._words]


def line(image: np.ndarray, category: str, note: str) -> str:
    """The list's line for a picture.

    Raises ValueError for a malformed category, and for a low-texture picture, whose hash would match others like it.
    """
    if not _CATEGORY.fullmatch(category):
        raise ValueError(f"{category!r} is no category: lower-case letters, digits and hyphens, at most 40")
    stored, quality = perceptual_hash(image)
    if quality < MIN_QUALITY:
        raise ValueError(
            f"quality {quality} of 100 is below {MIN_QUALITY}: its hash would stand for many plain pictures"
        )
    return f"{stored.hex()} {category} {' '.join(note.split())}".rstrip()


def _fewest_bits(turns: np.ndarray, words: np.ndarray) -> int:
    steps = range(0, len(words), AT_ONCE)
    return min(int(np.bitwise_count(turns ^ words[at : at + AT_ONCE]).sum(axis=2).min()) for at in steps)


def _parsed(path: Path, stored: bytes) -> dict[str, np.ndarray]:
    entries: dict[str, list[bytes]] = {}
    for number, text in enumerate(stored.splitlines(), start=1):
        if not text.strip() or text.lstrip().startswith(b"#"):
            continue
        parsed = _LINE.fullmatch(text.strip())
        if parsed is None:
            raise PolicyUnavailable(f"{path}, line {number}: not `HASH CATEGORY NOTE` with 64 hex digits; correct it")
        entries.setdefault(parsed[2].decode(), []).append(bytes.fromhex(parsed[1].decode()))
    if not entries:
        raise PolicyUnavailable(f"{path}: the list is empty; a rule about it could never speak")
    return {
        category: np.frombuffer(b"".join(found), np.uint8).reshape(-1, HASH_BYTES)
        for category, found in entries.items()
    }
