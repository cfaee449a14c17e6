"""Columns of a spreadsheet: which of them are ours, which the template's, and which somebody may have meant otherwise.

Our own names are matched without case, spaces and `_`: `Negative Prompt` is negative_prompt. A column that the template
asks for is the template's. A spelling other than our own is taken only where its values fit: a `Width` of "120 cm" is a
product's. What is nearly ours is warned of with the name that it resembles, and what nobody reads costs one note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from api.edge.problems import Complaint, did_you_mean, quoted
from workers.delivery.outcome import OUTCOME_PREFIX
from workers.recipes import ROLES
from workers.sheets.names import loose_name

MAX_USED_COLUMNS = 200

WHOLE_NUMBERS = ("width", "height", "num_inference_steps", "upscale", "seed", "variants")
CHOICES = ("model", "task", "priority")
DECIMALS = ("guidance_scale", "strength")
OF_PICTURES = (*ROLES, "strength")  # ours only where the values fit: many a product table has such columns
_PLAIN = ("custom_id", "id", "negative_prompt", "guidance_scale", "loras", "renditions")
OWN = (*_PLAIN, *WHOLE_NUMBERS, *CHOICES, *OF_PICTURES)

_ALIASES = {
    "steps": "num_inference_steps",
    "samplingsteps": "num_inference_steps",
    "inferencesteps": "num_inference_steps",
    "cfg": "guidance_scale",
    "cfgscale": "guidance_scale",
    "guidance": "guidance_scale",
    "negative": "negative_prompt",
    "neg": "negative_prompt",
    "negprompt": "negative_prompt",
    "randomseed": "seed",
    "lora": "loras",
    "numimages": "variants",
    "imagecount": "variants",
    "upscaling": "upscale",
    "upscalefactor": "upscale",
}
_OTHER_WORDS = frozenset({"weight", "speed", "feed", "title", "mode", "models", "modell", "eight", "wide", "ids"})
_KEYS = ("variantsku", "sku", "itemid", "productid", "articlenumber", "artikelnummer", "gtin", "ean", "handle")
_WHOLE = re.compile(r"[0-9]{1,16}(?:[.,]0+)?")
_NUMBER = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,9})?")
_UNIT = re.compile(r"[(\[](?:px|pixels?)[)\]]$|(?<=[a-z])px$")
_NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one file. `own` is the place of each column of ours; places count from 0."""

    header: tuple[str, ...]
    places: Mapping[str, int]
    own: Mapping[str, int]
    taken: Mapping[str, str] = field(default_factory=dict)  # header as written: our name, where they differ
    near: Mapping[str, str] = field(default_factory=dict)  # header that nobody reads: our name that it resembles
    suggested_key: str = ""

    @property
    def carried(self) -> tuple[int, ...]:
        """Places of the caller's own columns: in a file of results that comes back, ours are left out."""
        return tuple(place for place, name in enumerate(self.header) if not name.startswith(OUTCOME_PREFIX))

    def name(self, place: int) -> str:
        return self.header[place]

    def unused(self, used: Collection[int]) -> list[str]:
        """Named columns that nobody looks at, and that are not warned of otherwise."""
        read = {*used, *self.own.values()}
        named = [(place, self.header[place]) for place in self.carried if self.header[place]]
        return [name for place, name in named if place not in read and name not in self.near]


def match_columns(
    header: tuple[str, ...],
    sample: Sequence[Sequence[str]],
    *,
    asked: Collection[str],
    ignored: Collection[str] = (),
    choices: Mapping[str, Container[str]],
    expected: Collection[str] = (),
) -> Columns:
    """The columns of a header. `asked` are the names that template and options use; `ignored` are never ours.

    `expected` are columns of pictures that are ours whatever they hold, as a ZIP of pictures came with the file.

    `sample` holds the cells of the first rows, `choices` the values that our columns of choices take.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        if name:
            places.setdefault(name, place)
    left_out = {loose_name(name) for name in ignored}
    free = [
        name
        for name in places
        if name not in asked and loose_name(name) not in left_out and not name.startswith(OUTCOME_PREFIX)
    ]
    own = {
        name: places[name]
        for name in OWN
        if name in places
        and loose_name(name) not in left_out
        and (
            name not in OF_PICTURES or name in expected or _names_pictures(name, _values(sample, places[name]), choices)
        )
    }
    taken: dict[str, str] = {}
    near: dict[str, str] = {}
    loose_own = {loose_name(name): name for name in OWN}
    for name in free:
        ours = loose_own.get(loose_name(name))
        if ours is None or ours == name or ours in own:
            continue
        if _fits(ours, _values(sample, places[name]), choices):
            own[ours] = places[name]
            taken[name] = ours
        else:
            near[name] = ours
    for name in free:
        ours = "" if name in near or places[name] in own.values() else _resembled(name, loose_own)
        if ours and ours not in own and _fits(ours, _values(sample, places[name]), choices):
            near[name] = ours
    keys = [] if own.keys() & {"custom_id", "id"} else [name for name in free if loose_name(name) in _KEYS]
    keys.sort(key=lambda name: _KEYS.index(loose_name(name)))
    return Columns(header, places, own, taken, near, keys[0] if keys else "")


def unknown_column(name: str, header: Iterable[str]) -> Complaint:
    """The template asks for a column that is not there."""
    names = [one for one in header if one]
    listed = ", ".join(names[:_NAMES_SHOWN]) + (" ..." if len(names) > _NAMES_SHOWN else "")
    message = f"the template asks for {{{name}}}, which is no column"
    return Complaint(
        "unknown_placeholder", message, f"The columns are: {listed}.{did_you_mean(name, names)}", column=name
    )


def missing_column(name: str, header: Iterable[str], field: str) -> Complaint:
    """An option of the spec names a column that is not there."""
    names = [one for one in header if one]
    remedy = f"The columns are: {', '.join(names[:_NAMES_SHOWN])}.{did_you_mean(name, names)}"
    return Complaint("unknown_column", f"{quoted(name)} is no column of the file", remedy, field=field)


def repeated_columns(header: Sequence[str], used: Iterable[str]) -> list[Complaint]:
    """A name that stands over two columns matters only where it is asked for."""
    found = []
    for name in dict.fromkeys(used):
        if header.count(name) > 1:
            first = header.index(name)
            second = header.index(name, first + 1)
            message = f"columns {first + 1} and {second + 1} are both named {quoted(name)}"
            found.append(Complaint("duplicate_header", message, "Rename or remove one of them.", column=name))
    return found


def _values(sample: Sequence[Sequence[str]], place: int) -> list[str]:
    return [cells[place].strip() for cells in sample if place < len(cells) and cells[place].strip()]


def _names_pictures(ours: str, values: Sequence[str], choices: Mapping[str, Container[str]]) -> bool:
    return bool(values) and _fits(ours, values, choices)


def _fits(ours: str, values: Sequence[str], choices: Mapping[str, Container[str]]) -> bool:
    """Whether most of the values may be meant for our column; a column without values does no harm."""
    fits: Callable[[str], object] = bool
    if ours in WHOLE_NUMBERS:
        fits = _WHOLE.fullmatch
    elif ours in DECIMALS:
        fits = _NUMBER.fullmatch
    elif ours in choices:
        fits = choices[ours].__contains__
    return sum(bool(fits(value)) for value in values) * 2 >= len(values)


def _resembled(name: str, loose_own: Mapping[str, str]) -> str:
    loose = _UNIT.sub("", loose_name(name))  # "Width (px)"
    if loose in _OTHER_WORDS or loose in _KEYS:
        return ""
    if loose in _ALIASES:
        return _ALIASES[loose]
    if loose in loose_own and loose != loose_name(name):
        return loose_own[loose]
    alike = [one for one in loose_own if len(one) > 3 and abs(len(one) - len(loose)) < 2]
    close = get_close_matches(loose, alike, n=1, cutoff=0.75)
    return loose_own[close[0]] if close else ""
