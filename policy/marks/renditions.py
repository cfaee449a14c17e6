"""Renditions: the files that can be made of one picture, requested by name.

The original is always made, is lossless, and is what a reviewer judges. Every other file is a copy of it in full size
for a browser, with marks of its own. Renditions are names and not parameters, so that nobody can request a file whose
watermark was never measured. This module is light: the API process may import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

ORIGINAL = "original"
SMALLEST_SIDE, LARGEST_SIDE = 64, 8192  # pixels of what can be marked: no watermark was measured beyond

# Name -> media type, in the order in which files are made, stored and listed.
RENDITIONS = {
    ORIGINAL: "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
}
# The file beside those of a cut-out or a new ground that says where the product is. It is made unasked, shows nothing
# of the picture itself and carries no marks; nobody asks for it as a rendition, and no channel has its name.
MASK = "mask"
# The small picture beside the files, for lists in which a person scrolls (workers/thumbnails/). It is made unasked,
# carries no marks, is linked to nowhere and is among the files of no answer. No channel can have its name.
THUMBNAIL = "_thumbnail"
# Of a request that does not say: the picture itself, and what every browser, shop and mail programme opens.
DEFAULT = (ORIGINAL, "jpeg")


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """These renditions once each, the original first. Raises ValueError that names an unknown one."""
    wanted = {ORIGINAL, *names}
    unknown = sorted(wanted - RENDITIONS.keys())
    if unknown:
        raise ValueError(f"there is no rendition '{unknown[0]}'; there are {', '.join(RENDITIONS)}")
    return tuple(name for name in RENDITIONS if name in wanted)


@cache
def declarations() -> Mapping[str, Mapping[str, Any]]:
    """By place: the field that it asks for beside an image, and its value for each declaration (declarations.yaml)."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(files("policy.marks").joinpath("declarations.yaml").read_text())
    return found
