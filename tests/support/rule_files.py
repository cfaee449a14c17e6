"""Rule set files for tests: the shipped one, and small ones of which one part can be replaced."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEFAULT_RULES = Path(__file__).parents[2] / "policy" / "rulesets" / "default.yaml"


@cache
def shipped_for_pictures() -> dict[str, Any]:
    """The parts of the shipped rule set that judge pictures, for `written`."""
    shipped = yaml.load(DEFAULT_RULES.read_bytes(), yaml.CSafeLoader)
    return {"categories": shipped["categories"], "image": shipped["image"]}


def written(directory: Path, *more: dict[str, Any], rule: dict[str, Any] | None = None, **parts: Any) -> Path:
    """A valid file with one prompt rule (and `more`) and one image rule; `parts` replace whole top-level keys."""
    content = {
        "schema": 1,
        "name": "test",
        "categories": {
            "sexual": {"description": "sexual content"},
            "minors": {"description": "minors", "exceptions": False},
        },
        "prompt": {
            "max_chars": 1000,
            "rules": [
                rule or {"id": "sexual/nudity", "decision": "hold", "terms": {"en": ["nude", "nud* art"]}},
                *more,
            ],
        },
        "image": {"rules": [{"id": "sexual/picture", "classifier": "test", "scores": ["bad"], "hold": 0.5}]},
        **parts,
    }
    path = directory / "rules.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path
