"""Record of training cost, kept beside the results: core-seconds, samples and processor of each stage, for the card."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME = "training.json"


def read(work: Path) -> dict[str, dict[str, Any]]:
    """By stage."""
    path = work / NAME
    stored: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return stored


def note(work: Path, stage: str, *, core_seconds: float, **facts: Any) -> None:
    """Set a stage's totals. A reader sees the old file or the new one."""
    stored = read(work)
    stored[stage] = {"core_seconds": round(core_seconds), "processor": processor(), **facts}
    half = (work / NAME).with_suffix(".half")
    half.write_text(json.dumps(stored, indent=1), "utf-8")
    half.replace(work / NAME)


@contextmanager
def timed(work: Path, stage: str, **facts: Any) -> Iterator[None]:
    """Add this process's core-seconds inside the block to the stage's."""
    begun = time.process_time()
    before = float(read(work).get(stage, {}).get("core_seconds", 0))
    yield
    note(work, stage, core_seconds=before + time.process_time() - begun, **facts)


def processor() -> str:
    """The name the kernel gives it, where there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
