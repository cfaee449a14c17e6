"""Channels: named files that are made of one picture for the places where it is shown, each with its own marks.

A channel says size, fit, ground, format, quality and visible label of a file. Presets for well-known places are data
(presets.yaml). This module is light: the API process may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

FITS = ("cover", "contain", "pad")
GRAVITIES = ("product", "center", "top", "bottom", "left", "right")
FORMATS = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}
MIN_QUALITY = 50  # below it, marks read back too rarely to be worth a try
MIN_BYTES = 20_000  # of `max_bytes`: the signed manifest alone has up to 14 kB
POSITIONS = ("bottom-right", "bottom-left", "top-right", "top-left")
MIN_LABEL_SIZE = 0.04  # of the picture's short side
MIN_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


@dataclass(frozen=True, slots=True)
class LabelStyle:
    """The visible label of a file: where, how high (as a share of the short side), in which language.

    `language_column` names a column of the spreadsheet whose cell, if it has one, decides the language.
    """

    position: str = "bottom-right"
    size: float = 0.06
    language: str = "en"
    language_column: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """One file to make of every picture. `quality` and `max_bytes` are None where the format's ladder decides."""

    name: str
    width: int
    height: int
    fit: str = "cover"
    gravity: str = "product"
    background: tuple[int, int, int] = (255, 255, 255)
    format: str = "jpeg"
    quality: int | None = None
    max_bytes: int | None = None
    file: str = ""  # template of its file's name; "": that of the request
    label: LabelStyle | None = None

    @property
    def media_type(self) -> str:
        return FORMATS[self.format]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"background": list(self.background)}

    def public(self) -> dict[str, Any]:
        """What the ledger says of it: everything but names of columns, which are private text."""
        said = self.to_json()
        del said["file"]
        if said["label"]:
            del said["label"]["language_column"]
        return said

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Channel:
        """What `to_json` wrote. A field that is not there has its default."""
        fields = dict(stored)
        label = fields.pop("label", None)
        ground = tuple(fields.pop("background", (255, 255, 255)))
        return cls(**fields, background=ground, label=LabelStyle(**label) if label else None)


@cache
def presets() -> Mapping[str, Mapping[str, Any]]:
    """Each preset's fields by its name, and `about`: what it is for."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(
        files("policy.marks.channels").joinpath("presets.yaml").read_text()
    )
    return found


@cache
def label_texts() -> Mapping[str, Mapping[str, str]]:
    """The label's words by language and declaration."""
    found: dict[str, dict[str, str]] = yaml.safe_load(
        files("policy.marks.channels").joinpath("labels.yaml").read_text()
    )
    return found


def _data(name: str) -> Any:
    return yaml.safe_load(files("policy.marks.channels").joinpath(name).read_text())
