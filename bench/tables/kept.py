"""Kept results of a benchmark: one JSON line each, in a file that belongs to one state of the code.

The file's name carries a digest of the sources that decide a result, so a run that was stopped goes on, and a result of
other code is never counted. Killed within a line: that line is left out and made again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.system import REPOSITORY

_DECIDING = ("policy/identify", "policy/marks", "policy/intake", "bench/pictures")  # and policy/fingerprints.py
_EVERY = 20.0  # seconds between two lines of progress


@cache
def code_digest() -> str:
    """Twelve digits of the SHA-256 of every source that an identification, a mark or a picture of bench comes from."""
    paths = [path for folder in _DECIDING for path in (REPOSITORY / folder).rglob("*.py")]
    whole = hashlib.sha256()
    for path in sorted([*paths, REPOSITORY / "policy/fingerprints.py"]):
        whole.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


def is_held_out(name: str) -> bool:
    """Whether a picture or an attack belongs to the half by which no threshold is chosen."""
    return bool(hashlib.sha256(name.encode()).digest()[0] & 1)


class Results:
    """Results by name. `folder` None: they are kept nowhere."""

    def __init__(self, folder: Path | None, kind: str) -> None:
        self._path = None if folder is None else folder / f"{kind}-{code_digest()}.jsonl"
        self.rows: dict[str, dict[str, Any]] = {}
        if self._path is not None and self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                if line.endswith("}"):
                    row = json.loads(line)
                    self.rows[row["name"]] = row

    def make(self, jobs: Mapping[str, Callable[[], dict[str, Any]]]) -> Iterable[dict[str, Any]]:
        """The row of every job, made where there is none yet; with a line of progress now and then."""
        said = time.monotonic()
        missing = [name for name in jobs if name not in self.rows]
        for made, name in enumerate(missing, start=1):
            self._keep({"name": name, **jobs[name]()})
            if time.monotonic() - said > _EVERY:
                said = time.monotonic()
                print(f"  {len(jobs) - len(missing) + made} of {len(jobs)}", flush=True)
        return [self.rows[name] for name in jobs]

    def _keep(self, row: dict[str, Any]) -> None:
        self.rows[row["name"]] = row
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
