"""Figures in the prose: each names its program, the date and the commit, so that a reader can tell how old it is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import date

from bench.all import APART, PROGRAMS
from tests.support.repository import REPOSITORY, files, text

PAGES = [
    path
    for path in files()
    if re.fullmatch(r"README\.md|models/README\.md|docs/[\w-]+\.md", path) and path != "docs/README.md"
]
_PROGRAM = re.compile(r"`(python -m bench\.\w+|presswork policy report|python -m models\.train evaluate)[^`]*`")
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d),\s+commit\s+([0-9a-f]{7,40})\b")
_MEASURED = re.compile(
    r"\d(?:[\d.,]*)\*{0,2} ?(?:ms|µs|us|dB|%|per cent|images/s|entries/s|rows/s|CPU seconds|a second)\b|\d %"
)
NOT_FIGURES = {  # program or heading -> why it needs no date
    "python -m bench.all": "runs the others",
    "python -m bench.model": "named without a figure",
    "python -m bench.gpu": "named without a figure: no GPU was at hand",
    "docs/compliance.md: EU AI Act, Art. 50(2), and its code of practice": "a threshold, with its test beside it",
    "docs/models.md: Upscaling": "an equality that a test holds, on a picture of the reference",
    "docs/control.md: Pilot": "a bound that is computed, with its test beside it",
    "docs/masks.md: Score": "limits of workers/masks/measures.py, which a test holds from both sides",
    "docs/marks.md: Files": "thresholds that the last look at a file holds",
}


def _blocks(page: str) -> Iterator[str]:
    """Paragraphs and table rows, without fenced code."""
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.split(r"\n\s*\n", prose):
        yield from paragraph.splitlines() if paragraph.startswith("|") else [paragraph]


def _sections(page: str) -> Iterator[tuple[str, str]]:
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    head, *parts = re.split(r"^## ", prose, flags=re.MULTILINE)
    yield f"{page}: ", head
    for part in parts:
        heading, _, body = part.partition("\n")
        yield f"{page}: {heading}", body


def test_a_program_that_measures_is_named_with_date_and_commit() -> None:
    without = [
        (page, program)
        for page in PAGES
        for block in _blocks(page)
        for program in _PROGRAM.findall(block)
        if program not in NOT_FIGURES and not _WHEN.search(block)
    ]
    assert without == []


def test_a_section_with_measured_figures_names_its_program_and_when() -> None:
    without = [
        (section, _MEASURED.search(body))
        for page in PAGES
        for section, body in _sections(page)
        if _MEASURED.search(body) and not (_PROGRAM.search(body) and _WHEN.search(body))
    ]
    assert [(section, found and found[0]) for section, found in without if section not in NOT_FIGURES] == []


def test_what_needs_no_date_is_still_there() -> None:
    sections = {section for page in PAGES for section, _ in _sections(page)}
    named = {program for page in PAGES for block in _blocks(page) for program in _PROGRAM.findall(block)}
    assert set(NOT_FIGURES) - sections - named == set()


def test_the_dates_have_been_and_the_commits_are_of_this_repository() -> None:
    written = [(page, *found) for page in PAGES for found in _WHEN.findall(text(page))]
    assert len(written) >= 9
    assert [each for each in written if date.fromisoformat(each[1]) > date.today()] == []
    if (REPOSITORY / ".git").exists() and _git("rev-parse", "--is-shallow-repository") == "false":
        # An archive or a shallow clone has no history to ask.
        assert [each for each in written if _git("cat-file", "-t", each[2]) != "commit"] == []


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()


def test_every_program_of_the_prose_is_run_by_bench_all() -> None:
    named = {name for page in PAGES for name in re.findall(r"python -m bench\.(\w+)", text(page))}
    assert named - {"all"} <= {*PROGRAMS, *APART}
