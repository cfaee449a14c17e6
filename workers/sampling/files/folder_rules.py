"""Folder rules: what a model's folder must look like before any library may open it.

1. Every file is of a kind that holds data, never code: safetensors, JSON, text. A pickle is refused by name.
2. No link leads out of the folder.
3. The files are exactly those of the card, byte for byte.
4. Every safetensors header describes exactly the bytes that follow it.
5. Every class named is one we know; nothing points to code of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from workers.errors import ModelMissing, ModelRefused
from workers.sampling.cards.contents import paths_in
from workers.sampling.cards.extras import AdapterCard, UpscalerCard
from workers.sampling.cards.references import ReferenceCard
from workers.sampling.cards.registry import ModelCard
from workers.sampling.families.family import Family
from workers.sampling.files.digests import DIGESTS
from workers.sampling.files.safetensors_header import check_safetensors

# .model is a vocabulary of sentencepiece, .jinja a chat template, which transformers renders in a sandbox.
_ALLOWED_SUFFIXES = {".safetensors", ".json", ".txt", ".md", ".model", ".jinja"}
_ALLOWED_NAMES = {"LICENSE", "NOTICE"}
PICKLES = {".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".msgpack", ".npy", ".npz", ".joblib", ".dill"}
_INDEX = "model_index.json"

_SHARDS = re.compile(r"\.index(\.\w+)?\.json$")  # model.safetensors.index.json, ...index.fp16.json
_CONFIGURATION = re.compile(r"config(\.\w+)?\.json$")
_CODE = ("auto_map", "custom_pipeline", "trust_remote_code")

# Named by many model folders, never loaded: screening is the line's own, and nothing blackens a picture.
NOT_LOADED = frozenset({"safety_checker", "feature_extractor", "image_encoder", "watermarker"})
_Extra = UpscalerCard | AdapterCard | ReferenceCard
_Card = ModelCard | _Extra


def check_folder(card: ModelCard, folder: Path, boundary: Path) -> None:
    """Raises ModelRefused or ModelMissing, naming the file, unless `folder` is the model of this card.

    Links may lead to files below `boundary` only. Reads every byte once a process: seconds for a large model.
    """
    paths = paths_in(folder)
    for path in paths:
        _check_kind(card, folder / path, path, boundary)
    if _INDEX not in paths:
        raise _refused(card, _INDEX, "is missing; a model is the folder of a diffusers pipeline")
    _check_contents(card, folder, paths)
    for path in paths:
        _check_inside(card, folder, path)


def check_extra(card: _Extra) -> Path:
    """The first file of what lies beside a model; all keep the same rules. Raises ModelRefused or ModelMissing."""
    if not card.home.is_dir():
        raise ModelMissing(f"model {card.name}: there is no folder {card.home}")
    paths = paths_in(card.home)
    for path in paths:
        _check_kind(card, card.home / path, path, card.home)
    _check_contents(card, card.home, paths)
    for path in paths:
        _check_inside(card, card.home, path)
    return card.home / card.files[0].path


def _check_kind(card: _Card, file: Path, path: str, boundary: Path) -> None:
    if file.is_symlink() and not file.resolve().is_relative_to(boundary.resolve()):
        raise _refused(card, path, "is a link that leads out of the model's folder")
    if file.suffix.lower() in PICKLES:
        raise _refused(card, path, "may be a pickle, which runs code when it is read; only .safetensors is loaded")
    if file.suffix not in _ALLOWED_SUFFIXES and file.name not in _ALLOWED_NAMES:
        raise _refused(card, path, f"is none of {', '.join(sorted(_ALLOWED_SUFFIXES))}; remove it")
    if not file.is_file():
        raise _refused(card, path, "is not a plain file")


def _check_contents(card: _Card, folder: Path, paths: tuple[str, ...]) -> None:
    listed = {file.path: file for file in card.files}
    if unlisted := [path for path in paths if path not in listed]:
        raise _refused(card, unlisted[0], "is not on the card; remove it, or run `presswork models hash`")
    for path, expected in listed.items():
        if path not in paths:
            raise ModelMissing(f"model {card.name}: {path} is on the card and not in {folder}")
        if DIGESTS.of(folder, path) != expected:
            raise ModelMissing(f"model {card.name}: {path}: its bytes are not those of its card")


def _check_inside(card: _Card, folder: Path, path: str) -> None:
    file = folder / path
    try:
        if file.suffix == ".safetensors":
            check_safetensors(file)
        elif path == _INDEX and isinstance(card, ModelCard):
            _check_index(card, _read_object(file))
        elif _SHARDS.search(path):
            _check_shards(file, _read_object(file))
        elif _CONFIGURATION.search(path):
            _check_config(_read_object(file))
    except ModelRefused as error:
        raise _refused(card, path, str(error)) from error


def _check_index(card: ModelCard, index: dict[str, Any]) -> None:
    if index.get("_class_name") != card.pipeline:
        raise ModelRefused(f"names the pipeline {index.get('_class_name')!r}, the card {card.pipeline!r}")
    family, left_out = card.family, [None, None]
    for name, value in index.items():
        if name.startswith("_") or name in NOT_LOADED or name in family.scalars:
            continue
        if name in family.optional and value == left_out:
            continue
        if not isinstance(value, list) or ".".join(map(str, value)) not in family.components.get(name, ()):
            known = _known(family, name)
            raise ModelRefused(f"names {value!r} for {name!r}, which is none of the classes we load {known}")
    if missing := family.components.keys() - index.keys() - family.optional:
        raise ModelRefused(f"names no {', '.join(sorted(missing))}")


def _known(family: Family, name: str) -> str:
    known = sorted(family.components.get(name, ()))
    return f"there: {', '.join(known)}" if known else f"for {family.name}"


def _check_shards(file: Path, index: dict[str, Any]) -> None:
    shards = index.get("weight_map")
    if not isinstance(shards, dict):
        raise ModelRefused("has no weight_map")
    for shard in set(map(str, shards.values())):
        if "/" in shard or "\\" in shard or not (file.parent / shard).is_file() or not shard.endswith(".safetensors"):
            raise ModelRefused(f"points to {shard!r}, which is no safetensors file beside it")


def _check_config(config: dict[str, Any]) -> None:
    for key in _CODE:
        if config.get(key):
            raise ModelRefused(f"asks for code of its own ({key})")
    for value in config.values():
        if isinstance(value, dict):
            _check_config(value)


def _read_object(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise ModelRefused("is not a JSON object")
    return read


def _refused(card: _Card, path: str, why: str) -> ModelRefused:
    return ModelRefused(f"model {card.name}: {path}: {why}")
