"""Benchmarks run one after the other, each ratio beside its record; exit code 1 when a ratio fell.

python -m bench.all --quick                       every program on little, a few minutes: compare
python -m bench.all --quick --only campaign       one program; --only may be repeated
python -m bench.all --quick --record              write what was measured into bench/recorded.json, with this commit
python -m bench.all                               the full sizes, more than an hour

A ratio fails when it is below its record by more than the record's tolerance, when nothing is recorded for this
machine class, or when its program crashed or ran out of time. The others go on.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import record, result
from bench.record import FAILING, Finding, Judgement, Key, Record
from bench.result import Ratio

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = (
    *("affinity", "breaker", "campaign", "catalogue", "copies", "evidence", "fairness", "identify", "ledger", "marks"),
    *("masks", "model", "screening", "second_opinion", "siblings", "tasks", "throughput", "window"),
)
APART = {  # program -> why it is none of those
    "grid": "its figures need Chromium, and an idle machine",
    "reviewers": "it needs Chromium, and works at the pace of people",
    "gpu": "its figures need a CUDA device; tests/bench runs its smoke mode",
    "scale": "it compares nothing; its database takes minutes to hours",
    "soak": "it counts losses under faults for half an hour, and has no ratio",
    "life": "it follows one campaign through its whole life, and has no ratio; tests/bench has a small one",
}
SECONDS = {"quick": 300.0, "full": 7200.0}  # a program that takes longer hangs
_GRACE_SECONDS = 30.0  # to stop its services
_LAST_WORDS = 1_500  # characters of a crashed program's output that are shown


def main() -> None:
    asked = _arguments()
    mode, machine = "quick" if asked.quick else "full", record.machine_class()
    commit = record.commit() if asked.record else ""
    commands = {name: command(name, quick=asked.quick) for name in asked.only or PROGRAMS}
    print(f"{mode} run on {machine}", flush=True)
    records, findings = record.load(), list[Finding]()
    for name, words in commands.items():
        found = run_all({name: words}, records, mode=mode, machine=machine, seconds=SECONDS[mode])
        findings += found
        if asked.record:  # after each program: stopped later, what was measured stays
            records = accepted(records, found, mode=mode, machine=machine, commit=commit)
            record.save(records)
    raise SystemExit(summary(findings, recorded=asked.record))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes in all")
    parser.add_argument("--only", action="append", choices=PROGRAMS, help="this program; may be repeated")
    parser.add_argument("--record", action="store_true", help="accept what was measured as the new record")
    return parser.parse_args()


def command(name: str, *, quick: bool) -> list[str]:
    return [sys.executable, "-m", f"bench.{name}", *(["--quick"] if quick else [])]


def run_all(
    commands: Mapping[str, Sequence[str]],
    records: Mapping[Key, Record],
    *,
    mode: str,
    machine: str,
    seconds: float,
) -> list[Finding]:
    """Every program's ratios, judged and printed as they come. A program that fails is a finding, not an end."""
    findings: list[Finding] = []
    for name, words in commands.items():
        began = time.monotonic()
        try:
            judged = record.compare(name, run(words, seconds), records, mode=mode, machine=machine)
        except ValueError as error:
            judged = [Finding(name, "", Judgement.CRASHED, words=f"\n{error}")]
        for each in judged:
            print(each)
        print(f"{'':14}{name} took {time.monotonic() - began:.0f} s", flush=True)
        findings += judged
    return findings


def run(words: Sequence[str], seconds: float) -> list[Ratio]:
    """The ratios that one program reports. Raises ValueError with its last words when it fails or takes longer."""
    with tempfile.TemporaryDirectory(prefix="presswork-bench-") as folder:
        answer, log = Path(folder) / "ratios.json", Path(folder) / "log"
        with log.open("wb") as output:
            program = subprocess.Popen(
                [*words, "--json", str(answer)], cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True
            )
        code = _ended(program, seconds)
        said = log.read_text("utf-8", "replace")[-_LAST_WORDS:]
        if code != 0:
            raise ValueError(f"{f'exit code {code}' if code is not None else f'not over after {seconds:g} s'}\n{said}")
        try:
            return result.read(answer)
        except ValueError as error:
            raise ValueError(f"{error}\n{said}") from error


def _ended(program: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Its exit code; None when it was stopped. An interrupt lets it stop the services it started; then it is killed."""
    try:
        return program.wait(seconds)
    except subprocess.TimeoutExpired:
        program.send_signal(signal.SIGINT)
    except BaseException:
        program.send_signal(signal.SIGINT)
        program.wait(_GRACE_SECONDS)
        raise
    try:
        program.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
    return None


def accepted(
    records: Mapping[Key, Record], findings: Sequence[Finding], *, mode: str, machine: str, commit: str
) -> dict[Key, Record]:
    """The records with what was measured now. A program that crashed keeps what it had; an absent ratio goes."""
    kept = dict(records)
    today = datetime.now(UTC).date().isoformat()
    for each in findings:
        key = (each.program, each.ratio, mode, machine)
        if each.judgement is Judgement.ABSENT:
            del kept[key]
        elif each.value is not None:
            kept[key] = Record(
                each.program, each.ratio, float(f"{each.value:.4g}"), each.tolerance, mode, machine, today, commit
            )
    return kept


def summary(findings: Sequence[Finding], *, recorded: bool) -> int:
    """The exit code, with the reason in words. A run that records fails only for what it could not measure."""
    failing = {Judgement.CRASHED} if recorded else FAILING
    failed = [each for each in findings if each.judgement in failing]
    print(f"\n{len(findings)} ratios, {len(failed)} failed" + ("; recorded" if recorded else ""))
    for each in failed:
        print(each)
    if not recorded and any(each.judgement is Judgement.UNRECORDED for each in failed):
        print("Nothing is recorded for some ratios on this machine class. `--record` accepts what was measured.")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
