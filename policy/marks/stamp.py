"""What is said publicly about one picture: the facts that go into its marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# IPTC Digital Source Type: a picture made by a trained model and nothing else.
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Facts about one asset that anybody who holds the file may read.

    No prompt and no tenant among them. `watermark_id` is a random number below 2^48; asset_id and ledger_origin
    together point to the record.
    """

    asset_id: str
    watermark_id: int
    model: str
    model_revision: str
    policy_version: str
    made_at: datetime
    ledger_origin: str

    @property
    def watermark_hex(self) -> str:
        return f"{self.watermark_id:012x}"


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made it: the provider's name in public, and the version of this software."""

    name: str
    version: str
