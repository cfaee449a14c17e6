"""Watch over the tests of the verbs: each transaction that they commit is a change with its event, or neither."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.whole_changes import WholeChanges


@pytest.fixture(scope="package")
def whole_changes() -> Iterator[WholeChanges]:
    """The watch on every transaction of this process."""
    watch = WholeChanges()
    with watch.watching():
        yield watch


@pytest.fixture(autouse=True)
def _no_change_without_its_event(whole_changes: WholeChanges) -> Iterator[None]:
    """Invariant 2, over every verb that a test runs here."""
    yield
    broken, whole_changes.broken = whole_changes.broken, []
    assert broken == []
