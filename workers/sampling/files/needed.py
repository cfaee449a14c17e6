"""Files that a model needs, out of a folder as people download it; the others are left aside, each with its reason.

A repository on a hub holds the same weights several times: in formats that can run code, in two precisions, whole and
in shards, for other libraries; and pictures, caches and settings of its own. A pipeline needs one of each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from workers.errors import ModelRefused
from workers.sampling.cards.contents import paths_in
from workers.sampling.files.folder_rules import NOT_LOADED, PICKLES

INDEX = "model_index.json"
HALF = "fp16"
_TEXTS = (".json", ".txt", ".model", ".jinja")
_KEPT_ABOVE = re.compile(r"(LICENSE|NOTICE|README)(\.md|\.txt)?", re.IGNORECASE)
_SHARD = re.compile(r"(?P<stem>.+?)(?P<half>\.fp16)?(-\d{5}-of-\d{5})?\.safetensors")
_SHARDS_INDEX = re.compile(r"(?P<stem>.+?)(\.fp16)?\.(?P<kind>safetensors|bin)\.index(\.fp16)?\.json")


class Aside(NamedTuple):
    """A file that is not taken, and why."""

    path: str
    why: str


class Needed(NamedTuple):
    """What a folder's pipeline is loaded from. `variant` is fp16 where some component has no other weights."""

    paths: tuple[str, ...]
    aside: tuple[Aside, ...]
    variant: str | None


def needed_files(folder: Path) -> Needed:
    """The files to take. Raises ModelRefused if there is no pipeline in the folder."""
    index, paths = read_index(folder), paths_in(folder)
    parts = {name for name, value in index.items() if _is_loaded(name, value)}
    reasons = {path: _why_not(path, parts) for path in paths}
    halves = {part for part in parts if _only_half(part, [path for path, why in reasons.items() if not why])}
    for path, why in reasons.items():
        if not why:
            reasons[path] = _why_twin(path, halves, [p for p, reason in reasons.items() if not reason])
    taken = tuple(path for path, why in reasons.items() if not why)
    aside = tuple(Aside(path, why) for path, why in reasons.items() if why)
    return Needed(taken, aside, HALF if halves else None)


def read_index(folder: Path) -> dict[str, Any]:
    """model_index.json of a pipeline's folder. Raises ModelRefused."""
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelRefused(f"{folder}: {INDEX} is missing; a model is the folder of a diffusers pipeline") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{folder}: {INDEX} cannot be read: {error}") from error
    if not isinstance(index, dict):
        raise ModelRefused(f"{folder}: {INDEX} is not a JSON object")
    return index


def _is_loaded(name: str, value: Any) -> bool:
    return not name.startswith("_") and name not in NOT_LOADED and isinstance(value, list) and value != [None, None]


def _why_not(path: str, parts: set[str]) -> str:
    """Why no pipeline is loaded from this file, whatever lies beside it; "" if one may be."""
    place = PurePosixPath(path)
    top = place.parts[0]
    if any(part.startswith(".") for part in place.parts):
        return "settings and caches of the program that downloaded it"
    if len(place.parts) == 1:
        return "" if path == INDEX or _KEPT_ABOVE.fullmatch(path) else "beside the pipeline's folders"
    if top not in parts:
        loaded = "is never loaded: screening is the line's own" if top in NOT_LOADED else f"is not in {INDEX}"
        return f"{top} {loaded}"
    if place.suffix.lower() in PICKLES or ".bin." in place.name:
        return "a twin in a format that can run code"
    if place.suffix not in (*_TEXTS, ".safetensors") or len(place.parts) > 2 or place.name.startswith("openvino"):
        return "for another library"
    return ""


def _only_half(part: str, paths: Sequence[str]) -> bool:
    weights = [path for path in paths if path.startswith(f"{part}/") and path.endswith(".safetensors")]
    return bool(weights) and all(".fp16" in path for path in weights)


def _why_twin(path: str, halves: set[str], paths: Sequence[str]) -> str:
    part, _, name = path.rpartition("/")
    is_weights = name.endswith(".safetensors") or _SHARDS_INDEX.fullmatch(name)
    if not is_weights:
        return ""
    if ".fp16" in name and part not in halves:
        return "the same weights in half precision"
    whole = _stem(name) + (".fp16" if part in halves else "") + ".safetensors"
    if name != whole and f"{part}/{whole}" in paths:
        return "the same weights in shards"
    return ""


def _stem(name: str) -> str:
    found = _SHARD.fullmatch(name) or _SHARDS_INDEX.fullmatch(name)
    return found["stem"] if found else name
