"""Review command as a reviewer reads it: whole ids, no escape sequences, plain words. The commands themselves run in
tests/behaviour/test_end_to_end.py on the real stack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli import main
from deploy.commands import review

ITEM = "01a1febc-5d34-743e-b220-1fd7c7244bff"
HOLD: dict[str, Any] = {
    "item_id": ITEM,
    "held_at": "2026-11-21T15:00:00+00:00",
    "state": "released",
    "categories": ["brands", "sexual"],
    "releasable": True,
    "people_agreed": 1,
    "people_needed": 2,
    "prompt": "a mug\x1b[31m on a very long table, product photo, studio lighting, with more words than fit in a row",
}


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_an_id_can_be_copied_from_any_terminal_and_a_prompt_cannot_colour_it(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    review._print_table([HOLD])
    told = capsys.readouterr().out
    assert ITEM in told
    assert "\x1b" not in told


def test_an_empty_queue_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    review._print_table([])
    assert capsys.readouterr().out == "no held images\n"


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ({"decision": "refuse", "final": True}, "refused"),
        ({"decision": "release", "final": True}, "release ordered"),
        ({"decision": "release", "final": False, "people_agreed": 1, "people_needed": 2}, "1 of 2 people"),
    ],
)
def test_a_decision_is_told_by_what_it_led_to(done: dict[str, Any], said: str) -> None:
    assert said in review._outcome(done)


@pytest.mark.parametrize("item", ["../../etc/passwd", "x", f"{ITEM}/../y"])
@pytest.mark.parametrize("verb", [("show",), ("release", "--comment", "c"), ("refuse", "--comment", "c")])
def test_what_is_no_item_id_touches_no_file(tmp_path: Path, item: str, verb: tuple[str, ...]) -> None:
    key = tmp_path / "key"
    key.write_text("pw_x")
    told = CliRunner().invoke(main, ["review", *verb, item, "--data", str(tmp_path), "--key-file", str(key)])
    assert told.exit_code != 0
    assert list(tmp_path.iterdir()) == [key]


def test_one_digest_is_of_one_picture() -> None:
    told = CliRunner().invoke(main, ["review", "refuse", ITEM, ITEM, "--comment", "c", "--sha256", "a" * 64])
    assert told.exit_code == 2
    assert "one ITEM" in told.output
