"""Decision records: numbered, of one shape, and all in the index."""

from __future__ import annotations

import re

import pytest

from tests.support.repository import files, text

RECORDS = [path for path in files() if re.fullmatch(r"docs/decisions/\d{4}-[a-z0-9-]+\.md", path)]


@pytest.mark.parametrize("path", RECORDS)
def test_a_record_has_context_decision_consequences_and_what_was_measured(path: str) -> None:
    assert re.findall(r"^## (.*)$", text(path), re.MULTILINE) == ["Context", "Decision", "Consequences", "Measured"]
    assert all(part.strip() for part in re.split(r"^## .*$", text(path), flags=re.MULTILINE))


def test_the_index_lists_every_record_once_with_its_title() -> None:
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.*) \|$", text("docs/decisions/README.md"), re.MULTILINE)
    titles = [re.match(r"# (\d{4}): (.*)\n", text(path)) for path in RECORDS]
    written = [(*title.groups(), path.rsplit("/", 1)[-1]) for title, path in zip(titles, RECORDS, strict=True) if title]
    assert [(number, title, path) for number, path, title in listed] == written
    assert [number for number, _, _ in written] == [f"{n:04}" for n in range(1, len(RECORDS) + 1)]
