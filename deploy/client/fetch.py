"""Fetching of a request's files into a target, while it runs: each file checked by digest, none fetched twice.

A round reads the lines of what is released, fetches the files that the target lacks, and writes the manifest when the
files that it names are there. A link that ended is asked for again. Killed anywhere, the next run finds what is there
by its digest.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from deploy.client.api import Client
from deploy.client.targets import FetchTarget, harmless
from deploy.errors import CallFailed, FetchFailed
from workers.delivery.file_names import folded, safe_name
from workers.delivery.outcome import OUTCOME_PREFIX, with_apostrophe

_AT_ONCE = 4  # downloads
_TRIES = 3  # of one file, each with a new link
_PAUSE_SECONDS = (1.0, 15.0)  # between two rounds, while the request runs
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is. `files` counts those in the target, `fetched` those that this run brought."""

    status: dict[str, Any]
    files: int
    fetched: int
    bytes: int


@dataclass(slots=True)
class Fetched:
    """What a fetch came to. `problems` are sentences about files that are not in the target."""

    status: dict[str, Any]
    files: int = 0
    fetched: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Fetch:
    """One request and one target."""

    client: Client
    request_id: str
    target: FetchTarget
    channels: Sequence[str] = ()
    report: Callable[[Progress], None] = lambda progress: None
    _names: dict[str, str] = field(default_factory=dict)  # name without case -> item and file that has it
    _there: set[str] = field(default_factory=set)  # item and file
    _done: Fetched = field(default_factory=lambda: Fetched({}))

    def run(self, *, follow: bool = True) -> Fetched:
        """Fetch until the request is finished, or once. Raises CallFailed and FetchFailed."""
        pause = _PAUSE_SECONDS[0]
        while True:
            status = self._done.status = self.client.request(self.request_id)
            before = self._done.fetched
            self._done.problems = self._round()
            self._manifest()
            if not follow or status["state"] == "finished":
                self.target.finish()
                return self._done
            pause = _PAUSE_SECONDS[0] if self._done.fetched > before else min(pause * 2, _PAUSE_SECONDS[1])
            time.sleep(pause)

    def _round(self) -> list[str]:
        """One look at what is released; what could not be fetched."""
        after, first_missing = "", None
        for line in self._lines():
            if not self._is_there(line):
                first_missing = after
                break
            after = line[f"{OUTCOME_PREFIX}item_id"]
        self._tell()
        if first_missing is None:
            return []
        missing = self._fetch(self._lines(links=True, after=first_missing))
        for _ in range(_TRIES - 1):  # with new links
            if not missing:
                return []
            wanted = {_identity(line) for line, _ in missing}
            again = self._lines(links=True, after=first_missing)
            missing = self._fetch(line for line in again if _identity(line) in wanted)
        return [f"{line[f'{OUTCOME_PREFIX}file_name']}: {problem}" for line, problem in missing]

    def _lines(self, *, after: str = "", links: bool = False) -> Iterator[Line]:
        query: dict[str, Any] = {"only": "released", "links": links, "channel": list(self.channels)}
        if after:
            query["after"] = after
        for line in self.client.results(self.request_id, **query):
            if line[f"{OUTCOME_PREFIX}sha256"] is not None:
                yield line

    def _fetch(self, lines: Iterator[Line]) -> list[tuple[Line, str]]:
        """What could not be fetched, and why."""
        missing: list[tuple[Line, str]] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for some in _portions((line for line in lines if not self._is_there(line)), 8 * _AT_ONCE):
                named = [(line, self._name(line)) for line in some]
                for line, problem in zip(some, pool.map(self._bring, named), strict=True):
                    if problem:
                        missing.append((line, problem))
                        continue
                    self._there.add(_identity(line))
                    self._done.fetched += 1
                    self._done.bytes += int(line[f"{OUTCOME_PREFIX}bytes"])
                self._tell()
        return missing

    def _bring(self, named: tuple[Line, str]) -> str:
        """Fetch one file; "" or what went wrong. Full disks and refusing buckets end the fetch instead."""
        line, name = named
        try:
            content = self.client.fetch(line[f"{OUTCOME_PREFIX}url"], most=int(line[f"{OUTCOME_PREFIX}bytes"]))
        except CallFailed as error:
            return str(error)
        if hashlib.sha256(content).hexdigest() != line[f"{OUTCOME_PREFIX}sha256"]:
            return "what arrived has another SHA-256 than the record says"
        self.target.put(name, content)
        return ""

    def _is_there(self, line: Line) -> bool:
        identity = _identity(line)
        if identity in self._there:
            return True
        found = self.target.digest(self._name(line))
        if found == line[f"{OUTCOME_PREFIX}sha256"]:
            self._there.add(identity)
            return True
        if found is not None:
            raise FetchFailed(
                f"{self.target} has another file named {self._name(line)}. Remedy: fetch into an empty place, or remove"
                " the file if it is damaged"
            )
        return False

    def _name(self, line: Line) -> str:
        """The name in the target. What the installation says is made safe again, and told apart again."""
        identity = _identity(line)
        name = harmless(str(line[f"{OUTCOME_PREFIX}file_name"]))
        if self._names.setdefault(folded(name), identity) != identity:
            stem, _, ending = name.rpartition(".")
            name = safe_name(stem, f".{ending}", f"~{hashlib.sha256(identity.encode()).hexdigest()[:12]}")
            self._names[folded(name)] = identity
        return name

    def _tell(self) -> None:
        self._done.files = len(self._there)
        self.report(Progress(self._done.status, len(self._there), self._done.fetched, self._done.bytes))

    def _manifest(self) -> None:
        """Every line of the request: of files that are in the target, and of images without files."""
        table, lines = io.StringIO(newline=""), io.StringIO()
        writer: Any = None
        query: dict[str, Any] = {"channel": list(self.channels)}
        for line in self.client.results(self.request_id, **query):
            if line[f"{OUTCOME_PREFIX}sha256"] is not None:
                if _identity(line) not in self._there:
                    continue
                line[f"{OUTCOME_PREFIX}file_name"] = self._name(line)
            if writer is None:
                writer = csv.writer(table)
                writer.writerow(map(with_apostrophe, line))
            writer.writerow(_cell(value) for value in line.values())
            lines.write(f"{json.dumps(line, ensure_ascii=False)}\n")
        self.target.put("manifest.csv", b"\xef\xbb\xbf" + table.getvalue().encode())
        self.target.put("manifest.jsonl", lines.getvalue().encode())


def _identity(line: Line) -> str:
    return f"{line[f'{OUTCOME_PREFIX}item_id']} {line[f'{OUTCOME_PREFIX}channel']}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return with_apostrophe(value) if isinstance(value, str) else str(value)


def _portions(lines: Iterator[Line], most: int) -> Iterator[list[Line]]:
    some: list[Line] = []
    for line in lines:
        some.append(line)
        if len(some) == most:
            yield some
            some = []
    if some:
        yield some
