"""Defaults in the docs: the first mention of a setting on a page is followed by its value, and the value is right.

The convention is "`PRESSWORK_LEASE_SECONDS` (30 s)": the name in code, the default in parentheses, in any unit that
divides it evenly. A lease of 60 s stood in docs/operations.md long after it had become 30.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.repository import files, text
from workers.settings import Settings

PAGES = [path for path in files() if path.endswith(".md") and path != "CHANGELOG.md"]
_NAMED = re.compile(r"`PRESSWORK_([A-Z0-9_]+)`(?:\s+\(([^)]*)\))?")
_NUMBER = r"(?:\d[\d,.]*|one|two|three|five|ten|fifteen|thirty|sixty)"
_UNITS = {  # how the name ends -> (unit, how many of the setting's own unit it is)
    "_seconds": (("s", 1), ("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)),
    "_hours": (("h", 1), ("hour", 1), ("day", 24)),
    "_days": (("day", 1), ("year", 365)),
    "_bytes": (("bytes", 1), ("KiB", 2**10), ("MiB", 2**20)),
}


def _renderings(name: str, value: float) -> Iterator[str]:
    """Every way in which a page may write the default."""
    yield _plain(value)
    for end, units in _UNITS.items():
        for unit, size in units if name.endswith(end) else ():
            count = value / size
            if count == int(count) or size == 1:
                yield f"{_plain(count)} {unit}"
                yield f"{_plain(count)} {unit}s"


def _plain(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _numeric() -> dict[str, float]:
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items() if not field.is_required()}
    return {
        name: value
        for name, value in defaults.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _prose(page: str) -> str:
    """The page without the README's two tables of settings, which tests/house/test_docs.py compares as a whole."""
    lines = text(page).splitlines()
    return "\n".join(line for line in lines if not (page == "README.md" and re.match(r"\|.*`PRESSWORK_\w+` \|", line)))


def _mentions(page: str) -> list[tuple[str, str | None]]:
    return [(name.lower(), said) for name, said in _NAMED.findall(_prose(page))]


def _is_right(name: str, said: str) -> bool:
    return any(re.match(rf"{re.escape(form)}(?![\w.,]*\d|\w)", said) for form in _renderings(name, _numeric()[name]))


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_on_a_page_exists(page: str) -> None:
    assert {name for name, _ in _mentions(page)} - set(Settings.model_fields) == set()


@pytest.mark.parametrize("page", PAGES)
def test_the_value_behind_a_setting_is_its_default(page: str) -> None:
    numeric = _numeric()
    wrong = [(name, said) for name, said in _mentions(page) if said and name in numeric and not _is_right(name, said)]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES)
def test_the_first_mention_of_a_setting_with_a_number_gives_the_number(page: str) -> None:
    seen: set[str] = set()
    silent = []
    for name, said in _mentions(page):
        if name in _numeric() and name not in seen and not said:
            silent.append(name)
        seen.add(name)
    assert silent == []


@pytest.mark.parametrize("page", PAGES)
def test_no_default_is_written_in_a_way_that_no_test_compares(page: str) -> None:
    sentences = re.split(r"(?<=[.:;|])\s", _prose(page))
    loose = [
        sentence
        for sentence in sentences
        if "PRESSWORK_" in sentence and re.search(rf"\b{_NUMBER}\b[^.;|]{{0,25}}\bby default\b", sentence)
    ]
    assert loose == []


@pytest.mark.parametrize(
    ("name", "said", "right"),
    [
        ("lease_seconds", "30 s", True),
        ("lease_seconds", "30 seconds, renewed", True),
        ("lease_seconds", "60 s", False),
        ("lease_seconds", "300 s", False),
        ("link_seconds", "15 minutes", True),
        ("max_body_bytes", "64 MiB", True),
        ("max_body_bytes", "64", False),
        ("max_cell_chars", "4,000 characters", True),
        ("max_cell_chars", "4,000,000", False),
        ("retention_recalled_days", "1 year", True),
    ],
)
def test_a_default_may_be_written_in_any_unit_and_not_wrongly(name: str, said: str, right: bool) -> None:
    assert _is_right(name, said) is right
