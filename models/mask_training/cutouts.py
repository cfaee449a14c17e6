"""Cut-outs with their own transparency: renders of Fluent Emoji 3D (MIT), in three sets that share no thing.

`train` is learned from, `tune` sets thresholds, `held` is reported on. A thing and its skin tones share one set.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from workers.masks.compositing import Cutout

SETS = ("train", "tune", "held")
_SHARES = (80, 10, 10)  # per cent of the things
_TONES = {f"1f3f{digit}" for digit in "bcdef"}
_FOLDER = Path("fluent-emoji-3d") / "assets"


def paths(sources: Path, which: str) -> list[Path]:
    """The pictures of one set, in order. Skin tones of one thing are left out: they have its shape."""
    found = sorted((sources / _FOLDER).glob("*.webp"))
    return [path for path in found if not _TONES & set(path.stem.split("-")) and set_of(path.stem) == which]


def set_of(name: str) -> str:
    """The set of a thing, from its code points alone."""
    bare = "-".join(part for part in name.split("-") if part not in _TONES | {"fe0f"})
    place = int.from_bytes(hashlib.sha256(bare.encode()).digest()[:4], "big") % 100
    return SETS[0 if place < _SHARES[0] else 1 if place < sum(_SHARES[:2]) else 2]


@lru_cache(maxsize=2_000)
def load(path: Path) -> Cutout:
    """One of them, cropped to what is visible."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.ndim != 3 or stored.shape[2] != 4:
        raise SystemExit(f"{path} has no transparency: it is not the package this recipe was written for")
    alpha = stored[..., 3]
    rows, columns = np.flatnonzero((alpha > 8).any(axis=1)), np.flatnonzero((alpha > 8).any(axis=0))
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return Cutout(np.ascontiguousarray(stored[part][..., 2::-1]), np.ascontiguousarray(alpha[part]))
