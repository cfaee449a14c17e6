"""`presswork audit revoked`: whether files are on a list, with nothing but the list and the public keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from tests.support.revocation_lists import GOOD, LINES, OTHERS, SIGNER, TAMPERED, digest
from workers.jobs.types import new_id


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder with the keys, a list that names a.png, and two files."""
    (tmp_path / "vkeys").write_text(f"{SIGNER.vkey}\n")
    (tmp_path / "list").write_text(GOOD)
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "z.png").write_bytes(b"z")
    return tmp_path


def ask(folder: Path, *arguments: str) -> Result:
    files = [str(folder / one) if one.endswith(".png") else one for one in arguments]
    given = ["--list", str(folder / "list"), "--vkeys", str(folder / "vkeys")]
    return CliRunner().invoke(main, ["audit", "revoked", *files, *given])


def test_a_file_is_on_the_list_or_not(papers: Path) -> None:
    named = next(line for line in LINES if line.startswith(digest("a")))
    told = ask(papers, "a.png", "z.png")
    assert told.exit_code == 1
    assert f"a.png: REVOKED, recalled asset {named[65:]}" in told.output
    assert "z.png: not on the list" in told.output
    assert "list 7 of presswork.example/test" in told.output
    assert ask(papers, "z.png").exit_code == 0
    assert ask(papers, "--asset", named[65:]).exit_code == 1
    assert ask(papers, "--asset", new_id()).exit_code == 0
    assert '"revoked": true' in ask(papers, "a.png", "--json").output
    assert ask(papers).exit_code == 2, "nothing was asked"


@pytest.mark.parametrize("name", TAMPERED)
def test_a_list_that_was_tampered_with_answers_nothing(papers: Path, name: str) -> None:
    (papers / "list").write_text(TAMPERED[name])
    told = ask(papers, "z.png")
    assert (told.exit_code, "not on the list" in told.output) == (2, False), told.output


def test_unknown_key_older_list_and_unreadable_bytes_each_say_so(papers: Path) -> None:
    older = ask(papers, "z.png", "--at-least", "8")
    assert (older.exit_code, "list 8 is known" in older.output) == (2, True)
    (papers / "list").write_text(OTHERS)
    assert ask(papers, "z.png").exit_code == 2
    assert "none of which is a key we were told to trust" in ask(papers, "z.png").output
    (papers / "list").write_bytes(b"\xff\xfe")
    assert (ask(papers, "z.png").exit_code, "not UTF-8" in ask(papers, "z.png").output) == (2, True)
