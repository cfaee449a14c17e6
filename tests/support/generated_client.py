"""Python client that a generator makes from the OpenAPI document, as an outsider would get it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

PACKAGE = "presswork_generated_client"
# The generator knows files by octet-stream alone, and text by text/*.
_FILES = ("image/*", "image/webp", "application/zip", "application/c2pa")
_KNOWN_AS = {**dict.fromkeys(_FILES, "application/octet-stream"), "application/jsonl": "text/plain"}


def generate(document: dict[str, Any], folder: Path) -> ModuleType:
    """The generated package, imported. Raises where the generator leaves an operation or a schema out."""
    written = folder / "openapi.json"
    written.write_text(json.dumps(document), "utf-8")
    config = folder / "config.json"
    config.write_text(json.dumps({"post_hooks": [], "content_type_overrides": _KNOWN_AS}), "utf-8")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate"),
            *("--path", str(written), "--meta", "none", "--output-path", str(folder / PACKAGE)),
            *("--config", str(config), "--fail-on-warning"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(made.stdout + made.stderr)
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        return import_module(PACKAGE)
    finally:
        sys.path.remove(str(folder))


def operations(client: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """(operation's name, its module) of everything in the client."""
    for found in walk_packages(client.__path__, f"{client.__name__}."):
        if ".api." in found.name and not found.ispkg:
            yield found.name.rpartition(".")[2], import_module(found.name)
