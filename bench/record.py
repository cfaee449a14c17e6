"""Records of benchmark ratios: the last accepted value of each, and what a new value says beside it.

bench/recorded.json holds one record a line, so that a diff shows what moved. A record belongs to one machine class and
one mode: a quick run is never compared with a full one, nor two cores with sixteen.
"""

from __future__ import annotations

import enum
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.result import TOLERANCE, Ratio

RECORDED = Path(__file__).with_name("recorded.json")
Key = tuple[str, str, str, str]  # program, ratio, mode, machine


@dataclass(frozen=True, slots=True)
class Record:
    """A ratio as it was accepted."""

    program: str
    ratio: str
    value: float
    tolerance: float
    mode: str
    machine: str
    date: str
    commit: str

    @property
    def key(self) -> Key:
        return self.program, self.ratio, self.mode, self.machine


class Judgement(enum.StrEnum):
    """What a ratio says beside its record."""

    HOLDS = "holds"
    ROSE = "rose"  # no failure; recorded again, a later fall back is seen
    FELL = "fell"
    UNRECORDED = "not recorded"  # nobody would see it fall
    ABSENT = "absent"  # recorded once, and measured no more
    CRASHED = "crashed"


FAILING = frozenset({Judgement.FELL, Judgement.UNRECORDED, Judgement.ABSENT, Judgement.CRASHED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One ratio of one program, judged; or a program that gave none, with its last words."""

    program: str
    ratio: str
    judgement: Judgement
    value: float | None = None
    tolerance: float = TOLERANCE
    record: Record | None = None
    words: str = ""

    def __str__(self) -> str:
        now = "" if self.value is None else f"{self.value:10.4g}"
        then = (
            f"   was {self.record.value:.4g} ({self.record.date}, commit {self.record.commit}, fails below"
            f" {self.record.value / self.record.tolerance:.4g})"
            if self.record
            else ""
        )
        return f"{self.judgement:14}{self.program:16}{self.ratio:62}{now:>10}{then}{self.words}"


def compare(
    program: str, ratios: Iterable[Ratio], records: Mapping[Key, Record], *, mode: str, machine: str
) -> list[Finding]:
    """Each ratio beside its record, and each record without a ratio. Pure."""
    findings, seen = [], set[Key]()
    for each in ratios:
        key = (program, each.name, mode, machine)
        seen.add(key)
        record = records.get(key)
        judgement = _judged(each.value, record)
        findings.append(Finding(program, each.name, judgement, each.value, each.tolerance, record))
    findings += [
        Finding(program, record.ratio, Judgement.ABSENT, record=record)
        for key, record in records.items()
        if key not in seen and (record.program, record.mode, record.machine) == (program, mode, machine)
    ]
    return findings


def _judged(value: float, record: Record | None) -> Judgement:
    if record is None:
        return Judgement.UNRECORDED
    if value < record.value / record.tolerance:
        return Judgement.FELL
    return Judgement.ROSE if value > record.value * record.tolerance else Judgement.HOLDS


def load(path: Path = RECORDED) -> dict[Key, Record]:
    """The records; none where there is no file. Raises ValueError for two records of one ratio."""
    if not path.exists():
        return {}
    listed = [Record(**each) for each in json.loads(path.read_text("utf-8"))]
    records = {record.key: record for record in listed}
    if len(records) != len(listed):
        raise ValueError(f"{path.name} holds two records of one ratio")
    return records


def save(records: Mapping[Key, Record], path: Path = RECORDED) -> None:
    """One record a line, in order. Replaces the file at once: killed here, the old one stays."""
    lines = ",\n".join(json.dumps(asdict(records[key])) for key in sorted(records))
    beside = path.with_suffix(".new")
    beside.write_text(f"[\n{lines}\n]\n", "utf-8")
    beside.replace(path)


def machine_class() -> str:
    """What decides whether two runs can be compared: processor family, cores this process may use, a GPU or none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {'a GPU' if shutil.which('nvidia-smi') else 'no GPU'}"


def commit(folder: Path = RECORDED.parent) -> str:
    """The commit that is measured. Raises SystemExit where files differ from it: such a record could not be traced."""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no").splitlines()
    other = [line[3:] for line in changed if not line.endswith(f"/{RECORDED.name}")]
    if other:
        raise SystemExit(f"bench: a record names a commit, and these files differ from it: {', '.join(other)}")
    return _git(folder, "rev-parse", "--short=7", "HEAD").strip()


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout
