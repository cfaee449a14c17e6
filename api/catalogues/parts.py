"""Parts of a picture: everything that decides its pixels, each as a short digest, so that a change can be named.

Two digests a slot. The picture digest is of all parts and of the view; the delivery digest is of what is done with the
picture afterwards: channels, formats, quality, names. Texts are not kept, only digests of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from api.schemas.catalogues import CatalogueBody
from api.schemas.channels import channels_of
from api.submission.recipes import RecipeBook

SHORT = 12  # hexadecimal digits of a part: it tells values of one place apart, and proves nothing
PHOTO, DELIVERY = "photo", "delivery"
RULES = "rule set"  # another than the live picture was judged by; no part of it
COLUMN = "column "  # before the name of a column
_DELIVERED = {"channels", "renditions", "file", "publish_prompt"}
_ELSEWHERE = _DELIVERED | {"model", "template", "negative_prompt", "seed", "variants", "metadata"}
_FIRST = ("model", "options", "template", "negative_prompt", "seed", PHOTO)


class PictureParts:
    """The parts of the pictures of one catalogue, with one model as it is now."""

    def __init__(self, spec: CatalogueBody, book: RecipeBook, names: Sequence[str], watched: Sequence[str]) -> None:
        make = spec.make
        options = book.options(make)
        recipe = book.make(options, make.negative_prompt).recipe
        made = recipe.to_json() if recipe else list(options)
        self._same = {
            "model": _short(f"{book.card.name}@{book.card.revision}"),
            "options": _short(_json([made, make.model_dump(mode="json", exclude=_ELSEWHERE, exclude_defaults=True)])),
            "template": _short(make.template),
            "negative_prompt": _short(make.negative_prompt),
            "seed": _short(_json(make.seed)),
        }
        self._watched = [(f"{COLUMN}{name}", names.index(name)) for name in watched if name in names]
        self._delivered = [place for place, name in enumerate(names) if name not in watched]
        channels = [channel.to_json() for channel in channels_of(make.channels)]
        said = make.model_dump(mode="json", include=_DELIVERED - {"channels"}, exclude_defaults=True)
        self._delivery = _json([channels, said])

    @property
    def base(self) -> str:
        """What is the same for all rows: a plan is of no use once it differs."""
        return hashlib.sha256(_json([self._same, self._delivery]).encode()).hexdigest()

    def of(self, cells: Sequence[str], photo: str) -> dict[str, str]:
        """The parts of a row. A blank cell has a blank part, so that its loss can be seen."""
        own = {name: _short(cells[place]) if cells[place] else "" for name, place in self._watched}
        return {**self._same, PHOTO: photo[:SHORT], **own}

    def picture(self, parts: Mapping[str, str], photo: str, view: int) -> str:
        """The digest of all that decides pixels."""
        return hashlib.sha256(_json([sorted(parts.items()), photo, view]).encode()).hexdigest()

    def delivery(self, cells: Sequence[str]) -> str:
        """The digest of what is done with the picture."""
        named = [cells[place] for place in self._delivered]
        return hashlib.sha256(_json([self._delivery, named]).encode()).hexdigest()


def first_difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The name of the first part that differs: those of the catalogue first, then the picture, then the columns."""
    names = dict.fromkeys((*_FIRST, *now, *before))
    return next((name for name in names if before.get(name) != now.get(name)), PHOTO)


def blanked(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Columns that had a value and have none now."""
    return [name for name, part in now.items() if name.startswith(COLUMN) and not part and before.get(name)]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=list)
