"""Lines of results: the row's own columns, unchanged and in order, then ours, all of them with the prefix `presswork_`.

A line stands for one file of a released image, or for an image without files. The prefix keeps our columns from ever
being read as the caller's when a file of results is corrected and sent again: the reader leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from policy.marks.renditions import MASK, declarations
from workers.delivery.file_names import EXTENSIONS, FileTemplate, file_name
from workers.delivery.outcome import OUTCOME_COLUMNS, OUTCOME_PREFIX
from workers.delivery.remedies import remedy
from workers.jobs.results import Result
from workers.jobs.types import StoredRendition
from workers.states import ItemState

_ERASED = "{custom_id}-{variant}.{ext}"  # of requests that are erased, or older than templates
_CODES = {ItemState.HELD: "held_for_review", ItemState.REFUSED: "refused_by_policy"}
_DECISIONS = {ItemState.HELD: "hold", ItemState.REFUSED: "refuse"}


class Named(Protocol):
    """What a file's name is made of."""

    @property
    def custom_id(self) -> str: ...
    @property
    def row(self) -> int: ...
    @property
    def variant(self) -> int: ...
    @property
    def carried(self) -> Sequence[str]: ...
    @property
    def file_suffix(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ResultLines:
    """Makes the lines of one request. `files` gives the template of each file's name; "" is of all others."""

    columns: tuple[str, ...]
    templates: Mapping[str, str]
    declare: Sequence[str] = ()  # places whose own field is added behind ours

    @property
    def names(self) -> tuple[str, ...]:
        """Every column, in order."""
        ours = (f"{OUTCOME_PREFIX}{name}" for name in OUTCOME_COLUMNS)
        return (*self.columns, *ours, *map(_declared_column, self.declare))

    def of(self, result: Result) -> Iterator[dict[str, Any]]:
        """The lines of one image, by `names`."""
        for file in result.files or (None,):
            yield self._line(result, file)

    def file_name(self, result: Named, file: StoredRendition) -> str:
        """The name of a file, the same in every answer."""
        template = FileTemplate.parse(self.templates.get(file.name) or self.templates.get("", _ERASED))
        own = {
            "custom_id": result.custom_id,
            "row": str(result.row),
            "variant": str(result.variant),
            "channel": file.name,
            "width": str(file.width),
            "height": str(file.height),
        }
        cells = dict(zip(self.columns, result.carried, strict=False))
        suffix = f"-{MASK}{result.file_suffix}" if file.name == MASK else result.file_suffix
        return file_name(template, {**cells, **own}, extension=EXTENSIONS[file.media_type], suffix=suffix)

    def _line(self, result: Result, file: StoredRendition | None) -> dict[str, Any]:
        cells = result.carried or ("",) * len(self.columns)  # erased: the columns stay, their cells are empty
        ours = {**_about(result), **(self._file(result, file) if file else {})}
        outcome = {f"{OUTCOME_PREFIX}{name}": ours.get(name) for name in OUTCOME_COLUMNS}
        for place in self.declare:
            values = declarations()[place]["values"]
            outcome[_declared_column(place)] = values[ours["ai_declaration"]] if file else None
        return {**dict(zip(self.columns, cells, strict=False)), **outcome}

    def _file(self, result: Result, file: StoredRendition) -> dict[str, Any]:
        marks = _marks_of(result, file)
        return {
            "sha256": file.sha256,
            "file_name": self.file_name(result, file),
            "width": file.width,
            "height": file.height,
            "format": EXTENSIONS[file.media_type],
            "digital_source_type": marks.get("digital_source_type"),
            "ai_declaration": marks.get("declaration", "generated"),
            "label": (marks.get("label") or {}).get("text"),
            "channel": file.name,
            "bytes": file.bytes,
        }


def _declared_column(place: str) -> str:
    """Our prefix, the place, and its own name of the field."""
    return f"{OUTCOME_PREFIX}{place}.{declarations()[place]['column']}"


def _about(result: Result) -> dict[str, Any]:
    finding = _worst(result)
    state = ItemState(result.state)
    seconds = (result.settled_at - result.created_at).total_seconds() if result.settled_at else None
    return {
        "variant": result.variant,
        "state": result.state,
        "code": result.reason or _CODES.get(state),
        "category": finding.get("category"),
        "rule": finding.get("rule"),
        "remedy": remedy(result.state, result.reason) or None,
        "seed": result.seed,
        "asset_id": result.asset_id,
        "seconds": round(seconds, 3) if seconds is not None else None,
        "attempts": result.attempts,
        "cost": result.cost,
        "gpu_seconds": result.gpu_seconds,
        "currency": result.currency,
        "released_at": result.released_at.isoformat(timespec="milliseconds") if result.released_at else None,
        "custom_id": result.custom_id,
        "row": result.row,
        "item_id": result.id,
    }


def _worst(result: Result) -> Mapping[str, Any]:
    """The finding that held or refused the image."""
    decision = _DECISIONS.get(ItemState(result.state))
    findings = (result.verdict or {}).get("findings", ())
    found: Mapping[str, Any] = next((one for one in findings if one["decision"] == decision), {})
    return found


def _marks_of(result: Result, file: StoredRendition) -> Mapping[str, Any]:
    """The ledger's record of one file's marks."""
    marks: Mapping[str, Any] = (result.provenance or {}).get("marks", {})
    own: Mapping[str, Any] = marks.get("renditions", {}).get(file.name, marks)
    return own
