"""Wordings: the texts of the console by language, and numbers and instants as that language writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from fastapi import Request

COOKIE = "presswork-language"
LANGUAGES = {"en": "English", "de": "Deutsch"}
_FOLDER = Path(__file__).parent / "wording"


@dataclass(frozen=True, slots=True)
class Wording:
    """One language."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, name: str, /, **values: Any) -> str:
        """The text of that name. Raises KeyError for a name that no file has."""
        return self.texts[name].format(**values) if values else self.texts[name]

    def maybe(self, prefix: str, word: Any) -> str:
        """The text of a word of the API, such as a state; the word itself where we have none for it."""
        return self.texts.get(f"{prefix}.{word}", str(word).replace("_", " "))

    def group(self, prefix: str) -> dict[str, str]:
        """Texts for a script of a page: those whose names begin so, by the rest of their names."""
        start = f"{prefix}."
        return {name.removeprefix(start): text for name, text in self.texts.items() if name.startswith(start)}

    def counted(self, name: str, count: int, /, **values: Any) -> str:
        """ "1 image", "1,204 images"."""
        return self(f"{name}.{'one' if count == 1 else 'many'}", count=self.number(count), **values)

    def number(self, value: Any, places: int = 0) -> str:
        written = f"{float(value):,.{places}f}"
        return written.translate({44: ".", 46: ","}) if self.language == "de" else written

    def instant(self, value: str | None) -> str:
        """Date and time in UTC; the page turns it into the reader's own zone where scripts run."""
        if not value:
            return "-"
        at = datetime.fromisoformat(value).astimezone(UTC)
        return f"{at:%d.%m.%Y, %H:%M} UTC" if self.language == "de" else f"{at:%Y-%m-%d, %H:%M} UTC"

    def bytes(self, value: Any) -> str:
        size, units = float(value), ("B", "KiB", "MiB", "GiB")
        for unit in units:
            if size < 1024 or unit == units[-1]:
                break
            size /= 1024
        return f"{self.number(size, 0 if size >= 10 or unit == 'B' else 1)} {unit}"


@cache
def wording(language: str) -> Wording:
    return Wording(language, yaml.safe_load((_FOLDER / f"{language}.yaml").read_text("utf-8")))


def wording_of(request: Request) -> Wording:
    """The language that the person chose, else the first one that the browser asks for and we have, else English."""
    chosen = request.cookies.get(COOKIE, "")
    asked = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return wording(next((language for language in (chosen, *asked) if language in LANGUAGES), "en"))
