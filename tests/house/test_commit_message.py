"""Commit messages: what the commit-msg hook takes and what it refuses, with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY
from tools.commit_message import flaws


@pytest.mark.parametrize(
    "message",
    [
        "api: bound metadata values",
        "api: bound metadata values\n\nA value of 1 MB, 500 a page, was half a gigabyte.\n",
        "metrics, alerts: plain help\n",
        "policy/ledger: read heads once\n\nWhy.\n",
        "docs: 12 invariants instead of 24",
        "a" * 67 + ": why",
        "# a comment of git's\n\napi: bound values\n# more\n",
        "api: bound values\n\nWhy.\n# ------------------------ >8 ------------------------\ndiff --git a b\n",
        "Merge branch 'main'",
        'Revert "api: bound metadata values"',
        "fixup! api: bound metadata values",
    ],
)
def test_a_message_that_keeps_the_rules_is_taken(message: str) -> None:
    assert flaws(message) == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("Tidy", "area"),
        ("tidy things", "area"),
        ("api: Bound metadata values", "lower case"),
        ("Api: bound metadata values", "area"),
        ("api:bound metadata values", "area"),
        ("api: bound metadata values.", "full stop"),
        ("api: " + "x" * 68, "73 characters"),
        ("api: bound values\nWhy.", "second line"),
    ],
)
def test_a_message_that_breaks_a_rule_is_refused_with_the_reason(message: str, reason: str) -> None:
    assert reason in " ".join(flaws(message))


def test_the_hook_reads_gits_file_and_fails(tmp_path: Path) -> None:
    (tmp_path / "COMMIT_EDITMSG").write_text("Tidy.\n")
    command = [sys.executable, "-m", "tools.commit_message", str(tmp_path / "COMMIT_EDITMSG")]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.count("commit message:") == 2
