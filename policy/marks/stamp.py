"""What is said publicly about one picture: the facts that go into its marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

# IPTC Digital Source Type: a picture made by a trained model and nothing else, and one edited by such a model.
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
EDITED_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True, slots=True)
class AddedNetwork:
    """A network beside the model: which one, which bytes, and how much of it."""

    role: str  # lora | upscaler
    name: str
    revision: str
    amount: float  # the scale of a LoRA, the factor of an upscaler

    def to_json(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        word = {"lora": "scale", "upscaler": "factor"}[self.role]
        return {"role": self.role, "name": self.name, "revision": self.revision, word: self.amount}


@dataclass(frozen=True, slots=True)
class Stamp:
    """Facts about one asset that anybody who holds the file may read.

    No tenant among them, and no prompt but where the request says that it is to be published. `watermark_id` is a
    random number below 2^48; asset_id and ledger_origin together point to the record.
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

    @property
    def watermark_hex(self) -> str:
        return f"{self.watermark_id:012x}"


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made it: the provider's name in public, and the version of this software."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class EditSource:
    """The file that was edited, with whatever manifest it carries: that is kept, as the history of the new one."""

    data: bytes
    media_type: str
    title: str = "source"


def source_type(source: EditSource | None) -> str:
    """The IPTC digital source type of a picture that was made, or that was edited from a source."""
    return EDITED_SOURCE_TYPE if source else DIGITAL_SOURCE_TYPE
