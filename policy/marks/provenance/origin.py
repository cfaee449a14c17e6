"""Origin of a picture that another tool made: what a person states of it, recorded as stated and never as known.

The statement goes into the manifest with its basis beside it, and into the record with the key of who stated it. What
the file itself carried is kept apart from the statement: a manifest as an ingredient, other marks by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

_CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
BASIS = "stated by the sender of the picture, not verified"
# IPTC digital source types by what they declare of a picture. The first of each is what a bare declaration means.
SOURCE_TYPES: Mapping[str, tuple[str, ...]] = {
    "generated": ("trainedAlgorithmicMedia",),
    "modified": ("compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"),
    "none": (
        *("", "digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print", "screenCapture"),
        *("humanEdits", "digitalCreation", "compositeCapture", "algorithmicMedia", "dataDrivenMedia"),
    ),
}


@dataclass(frozen=True, slots=True)
class StatedOrigin:
    """What was stated. `source_type` is the last part of the IPTC address, "" where none was named."""

    declaration: str  # generated | modified | none
    source_type: str = ""
    tool: str = ""  # in the words of who stated it; public
    stated_by: str = ""  # id of the key; only in the record
    found: tuple[str, ...] = ()  # marks that the file carried, in words; only in the record

    @property
    def uri(self) -> str:
        return _CODES + self.source_type if self.source_type else ""

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {"made_elsewhere": True, "basis": BASIS, **asdict(self), "found": list(self.found)}

    def assertion(self) -> dict[str, Any]:
        """For the manifest: nothing that names a tenant or a key."""
        said = {"declaration": self.declaration, "digital_source_type": self.uri, "tool": self.tool}
        return {"basis": BASIS, **{name: value for name, value in said.items() if value}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        kept = {name: stored[name] for name in ("declaration", "source_type", "tool", "stated_by") if name in stored}
        return cls(**kept, found=tuple(stored.get("found", ())))


def stated(declaration: str, source_type: str = "", tool: str = "") -> StatedOrigin:
    """The statement. Raises ValueError for a source type that does not go with the declaration."""
    fitting = SOURCE_TYPES[declaration]
    if source_type and source_type not in fitting:
        named = ", ".join(filter(None, fitting))
        raise ValueError(f"'{source_type}' does not go with the declaration '{declaration}'; these do: {named}")
    return StatedOrigin(declaration, source_type or fitting[0], tool)


def marks_in_words(marks: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a file carried when it was sent in, from the record of its input."""
    told: list[str] = []
    carried = marks or {}
    if manifest := carried.get("manifest"):
        maker = manifest.get("generator") or manifest.get("signer") or "an unnamed maker"
        told.append(f"a C2PA manifest of {maker}, which reads as {manifest.get('state')}")
        if manifest.get("asset_id"):
            told.append(f"the asset id {manifest['asset_id']} in that manifest")
    if watermark := carried.get("watermark"):
        told.append(f"the watermark {watermark.get('id')} of an installation of this software")
    if source := (carried.get("xmp") or {}).get("Iptc4xmpExt:DigitalSourceType"):
        told.append(f"the label {source}")
    return tuple(told)
