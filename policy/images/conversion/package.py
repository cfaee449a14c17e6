"""nsfwjs package reader: JavaScript files that hold a model as an object literal and its weights in base64."""

from __future__ import annotations

import base64
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, tuple[np.ndarray, float, float]]
"""Name -> uint8 values, scale, offset."""

# The published model is a JavaScript object literal: strings, bare keys, !0 and !1, numbers like -.5
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|!0|!1|[A-Za-z_]\w*(?=:)|(?<![\w.])-?\.\d')
_LITERAL = re.compile(r"\.exports=(?=\{)")
_BASE64 = re.compile(r'"([A-Za-z0-9+/=]+)"')


def read(archive: tarfile.TarFile, folder: str) -> tuple[dict[str, Any], Weights]:
    """The published topology of the model and its weights. Raises SystemExit where the archive lacks a part."""
    names = sorted(name for name in archive.getnames() if name.startswith(f"{folder}/"))
    text = _text(archive, f"{folder}/model.min.js")
    literal = _LITERAL.search(text)
    if literal is None:
        raise SystemExit(f"{folder}/model.min.js holds no model")
    model, _ = json.JSONDecoder().raw_decode(_TOKEN.sub(_as_json, text[literal.end() :]))
    shards = [_text(archive, name) for name in names if "/group1-shard" in name]
    stored = b"".join(base64.b64decode(max(_BASE64.findall(shard), key=len)) for shard in shards)
    return model["modelTopology"], dict(_weights(model["weightsManifest"], stored))


def _text(archive: tarfile.TarFile, name: str) -> str:
    member = archive.extractfile(name)
    if member is None:
        raise SystemExit(f"the archive holds no {name}")
    return member.read().decode()


def _as_json(token: re.Match[str]) -> str:
    text = token[0]
    if text.startswith('"'):
        return text
    if text.startswith("!"):
        return "true" if text == "!0" else "false"
    return text.replace(".", "0.") if "." in text else f'"{text}"'


def _weights(manifest: list[Any], stored: bytes) -> Iterator[tuple[str, tuple[np.ndarray, float, float]]]:
    offset = 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        count = int(np.prod(weight["shape"]))
        values = np.frombuffer(stored, np.uint8, count, offset).reshape(weight["shape"])
        offset += count
        yield weight["name"], (values, weight["quantization"]["scale"], weight["quantization"]["min"])
    if offset != len(stored):
        raise SystemExit(f"the weights are {len(stored)} bytes, the manifest describes {offset}")
