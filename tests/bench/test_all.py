"""Benchmarks that fall, crash, hang or are not recorded: what `python -m bench.all` says and how it ends."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench import all as bench_all
from bench import record
from bench.record import Finding, Judgement, Key, Record
from bench.result import Ratio, read, report
from tests.support.repository import REPOSITORY

MACHINE = "x86_64, 2 cores, no GPU"
ROWS = Record("campaign", "rows over rows", 0.6, 1.5, "quick", MACHINE, "2026-11-30", "abcdef0")


def program(folder: Path, code: str) -> list[str]:
    """A fake benchmark: a Python program that is given `--json FILE`."""
    path = folder / f"program_{time.monotonic_ns()}.py"
    path.write_text(f"import json, sys\npath = sys.argv[sys.argv.index('--json') + 1]\n{code}\n")
    return [sys.executable, str(path)]


def measuring(folder: Path, value: float, name: str = ROWS.ratio) -> list[str]:
    ratios = json.dumps([{"name": name, "value": value, "tolerance": 1.5}])
    return program(folder, f"open(path, 'w').write({ratios!r})")


def run(commands: dict[str, list[str]], *known: Record, seconds: float = 60.0) -> list[Finding]:
    records = {each.key: each for each in known}
    return bench_all.run_all(commands, records, mode="quick", machine=MACHINE, seconds=seconds)


def code_of(findings: list[Finding]) -> int:
    return bench_all.summary(findings, recorded=False)


@pytest.mark.parametrize(
    ("value", "judgement", "code"),
    [
        (0.6, Judgement.HOLDS, 0),
        (0.41, Judgement.HOLDS, 0),  # 0.6 / 1.5 is the last that holds
        (0.39, Judgement.FELL, 1),
        (0.13, Judgement.FELL, 1),  # what happened to campaign acceptance, unseen
        (0.91, Judgement.ROSE, 0),
    ],
)
def test_a_ratio_that_falls_by_more_than_its_tolerance_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float, judgement: Judgement, code: int
) -> None:
    findings = run({"campaign": measuring(tmp_path, value)}, ROWS)
    assert [(each.judgement, each.value) for each in findings] == [(judgement, value)]
    assert code_of(findings) == code
    said = capsys.readouterr().out
    assert "was 0.6 (2026-11-30, commit abcdef0, fails below 0.4)" in said


def test_a_ratio_that_nobody_recorded_fails_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = run({"campaign": measuring(tmp_path, 0.6)})
    assert [each.judgement for each in findings] == [Judgement.UNRECORDED]
    assert code_of(findings) == 1
    assert "`--record` accepts what was measured" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"machine": "aarch64, 16 cores, a GPU"}, {"mode": "full"}, {"program": "ledger"}])
def test_a_record_of_another_machine_mode_or_program_is_none(tmp_path: Path, change: dict[str, str]) -> None:
    findings = run({"campaign": measuring(tmp_path, 0.6)}, replace(ROWS, **change))
    assert [each.judgement for each in findings] == [Judgement.UNRECORDED]


def test_a_recorded_ratio_that_is_measured_no_more_fails(tmp_path: Path) -> None:
    findings = run({"campaign": measuring(tmp_path, 0.6)}, ROWS, replace(ROWS, ratio="memory over memory"))
    assert [(each.ratio, each.judgement) for each in findings] == [
        (ROWS.ratio, Judgement.HOLDS),
        ("memory over memory", Judgement.ABSENT),
    ]
    assert code_of(findings) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('the API did not start')", "the API did not start"),
        ("print('half a table')", "half a table"),  # ended well and reported nothing
        ("open(path, 'w').write('[]')", "the list is empty"),
        ("open(path, 'w').write('no')", "Expecting value"),
        ('open(path, \'w\').write(\'[{"name": "x", "value": 0.0}]\')', "no ratio"),
        ('open(path, \'w\').write(\'[{"name": "x", "value": NaN}]\')', "no ratio"),
        ("open(path, 'w').write('{')", "Expecting property name"),
    ],
)
def test_a_program_that_crashes_is_reported_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, words: str
) -> None:
    findings = run({"ledger": program(tmp_path, code), "campaign": measuring(tmp_path, 0.6)}, ROWS)
    assert [(each.program, each.judgement) for each in findings] == [
        ("ledger", Judgement.CRASHED),
        ("campaign", Judgement.HOLDS),
    ]
    assert code_of(findings) == 1
    assert words in capsys.readouterr().out


def test_a_program_that_hangs_is_interrupted_so_that_it_stops_what_it_started(tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    code = (
        "import time\ntry:\n    time.sleep(600)\n"
        f"except KeyboardInterrupt:\n    open({str(stopped)!r}, 'w').close()\n    raise"
    )
    (finding,) = run({"window": program(tmp_path, code)}, seconds=3.0)
    assert finding.judgement is Judgement.CRASHED
    assert "not over after 3 s" in finding.words
    assert stopped.exists()


def test_recording_takes_what_was_measured_and_keeps_what_crashed(tmp_path: Path) -> None:
    gone = replace(ROWS, ratio="memory over memory")
    ledger = replace(ROWS, program="ledger")
    other = replace(ROWS, machine="another")
    records: dict[Key, Record] = {each.key: each for each in (ROWS, gone, ledger, other)}
    findings = run(
        {"campaign": measuring(tmp_path, 0.2), "ledger": program(tmp_path, "raise SystemExit(1)")}, *records.values()
    )
    kept = bench_all.accepted(records, findings, mode="quick", machine=MACHINE, commit="1234567")
    assert kept[ROWS.key].value == 0.2
    assert kept[ROWS.key].commit == "1234567"
    assert gone.key not in kept
    assert (kept[ledger.key], kept[other.key]) == (ledger, other)
    assert bench_all.summary(findings, recorded=True) == 1  # the ledger was not measured


def test_records_come_back_as_they_were_saved_and_one_ratio_has_one(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    assert record.load(path) == {}
    records = {ROWS.key: ROWS}
    record.save(records, path)
    assert record.load(path) == records
    path.write_text(json.dumps([json.loads(path.read_text())[0]] * 2))
    with pytest.raises(ValueError, match="two records of one ratio"):
        record.load(path)


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ratios.json"
    report([Ratio("rows over rows", 0.57, 1.2)], path)
    assert read(path) == [Ratio("rows over rows", 0.57, 1.2)]


def test_every_program_reports_and_every_record_is_of_one() -> None:
    written = {path.stem for path in (REPOSITORY / "bench").glob("*.py") if "report(" in path.read_text("utf-8")}
    assert written - {"result", "all", *bench_all.APART} == set(bench_all.PROGRAMS)
    apart = {path.parent.name for path in (REPOSITORY / "bench").glob("*/__main__.py")}
    assert apart <= set(bench_all.APART)
    assert all((REPOSITORY / "bench" / f"{name}.py").exists() for name in set(bench_all.APART) - apart)
    records = record.load()
    assert {each.program for each in records.values()} <= set(bench_all.PROGRAMS)
    assert all(each.tolerance > 1 and each.value > 0 for each in records.values())
