"""The files that can be made of one picture: four, asked for by name in a request.

The original is always made, is lossless, and is what a reviewer judges; every other file is a copy of it in full size
for a browser, with marks of its own. Names, not parameters: a request cannot ask for a file whose mark nobody measured.
This module is light, so the API process may know the names.
"""

from __future__ import annotations

from collections.abc import Iterable

ORIGINAL = "original"

# Name -> media type, in the order in which files are made, stored and listed.
RENDITIONS = {
    ORIGINAL: "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
}
# Of a request that does not say: the picture itself, and what every browser, shop and mail programme opens.
DEFAULT = (ORIGINAL, "jpeg")


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """These renditions once each, the original always first. Raises ValueError naming one that there is not."""
    wanted = {ORIGINAL, *names}
    unknown = sorted(wanted - RENDITIONS.keys())
    if unknown:
        raise ValueError(f"there is no rendition '{unknown[0]}'; there are {', '.join(RENDITIONS)}")
    return tuple(name for name in RENDITIONS if name in wanted)
