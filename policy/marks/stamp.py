"""Stamp: the public facts about one picture that go into its marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from policy.marks.provenance.origin import StatedOrigin

# IPTC Digital Source Type: a picture made by a trained model and nothing else, and one edited by such a model.
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
EDITED_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
# The watermark as the manifest and the resolution of soft bindings name it.
SOFT_BINDING = "presswork.dwtdctsvd"
# How manifest and evidence name the scheme of a file that carries no watermark.
UNMARKED = "none"


@dataclass(frozen=True, slots=True)
class AddedNetwork:
    """A network besides the model: its name, the digest of its bytes, and its strength."""

    role: str  # lora | reference | upscaler
    name: str
    revision: str
    amount: float  # the scale of a LoRA or a reference network, the factor of an upscaler

    def to_json(self) -> dict[str, Any]:
        """The entry in the manifest."""
        word = "factor" if self.role == "upscaler" else "scale"
        return {"role": self.role, "name": self.name, "revision": self.revision, word: self.amount}


@dataclass(frozen=True, slots=True)
class Stamp:
    """Facts about one asset that anybody who holds the file may read.

    They contain no tenant, and a prompt only where the request says that it is published. `watermark_id` is a random
    number below 2^48. asset_id and ledger_origin together point to the record.
    """

    asset_id: str
    watermark_id: int
    model: str
    model_revision: str
    policy_version: str
    made_at: datetime
    ledger_origin: str
    published_prompt: str = ""
    parts: tuple[AddedNetwork, ...] = ()  # networks beside the model that had a hand in it
    label: str = ""  # words of the visible label in the pixels
    origin: StatedOrigin | None = None  # of a picture that another tool made; then there is no model
    guides: tuple[EditSource, ...] = ()  # pictures that the model was shown, and that this one is no edit of

    @property
    def watermark_hex(self) -> str:
        return f"{self.watermark_id:012x}"


@dataclass(frozen=True, slots=True)
class Maker:
    """The provider's public name and the version of this software."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class EditSource:
    """A file that was given, with any manifest that it carries: that is kept as the history of the new file."""

    data: bytes
    media_type: str
    title: str = "source"


def source_type(stamp: Stamp, source: EditSource | None) -> str:
    """The IPTC digital source type of what a model made or edited; else what was stated of it, "" if nothing."""
    if stamp.origin:
        return stamp.origin.uri
    return EDITED_SOURCE_TYPE if source else DIGITAL_SOURCE_TYPE


def declaration(stamp: Stamp, source: EditSource | None) -> str:
    """What is declared of the picture: `modified` where it was edited from a source, else `generated`.

    Of a picture that another tool made, it is what was stated: `generated`, `modified` or `none`.
    """
    if stamp.origin:
        return stamp.origin.declaration
    return "modified" if source else "generated"
