"""Shapes of feeds: how the exports of shops are laid out, as data. A catalogue names one instead of writing it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_SHAPES = Path(__file__).with_name("shapes.yaml")


@dataclass(frozen=True, slots=True)
class FeedShape:
    """What is known of an export by its kind. What is empty is not known."""

    about: str
    key: tuple[str, ...] = ()
    group: str = ""
    fill_down: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    clean: Mapping[str, tuple[str, ...]] | None = None
    picture: str = ""


@cache
def shapes() -> Mapping[str, FeedShape]:
    """By name, in the order of the file."""
    return {
        name: FeedShape(
            about=str(written["about"]),
            key=tuple(written.get("key", ())),
            group=str(written.get("group", "")),
            fill_down=tuple(written.get("fill_down", ())),
            where=tuple(written.get("where", ())),
            clean={column: tuple(filters) for column, filters in written.get("clean", {}).items()},
            picture=str(written.get("picture", "")),
        )
        for name, written in yaml.safe_load(_SHAPES.read_text(encoding="utf-8")).items()
    }
