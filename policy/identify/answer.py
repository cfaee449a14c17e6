"""Identification result with its evidence: one of five findings, and what each layer found.

ours            content and code name one asset, and nothing in its frame shows something else; `verified` where the
                code was read
ours_altered    content and code name one asset, and a part of its frame shows something else: `agreement` has the map
shares_content  it looks like one of ours, and no code says so. No claim: siblings of the same model look alike
conflicting     layers name different things: a watermark of ours on a picture that is not its own, or a manifest about
                another picture. A mark was moved, or the picture was changed beyond recognition
not_found       no layer names a picture of ours
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from policy.identify.content.agreement import NOTHING, Agreement


class IdentificationFinding(StrEnum):
    OURS = "ours"
    OURS_ALTERED = "ours_altered"
    SHARES_CONTENT = "shares_content"
    NOT_FOUND = "not_found"
    CONFLICTING = "conflicting"


class ManifestStanding(StrEnum):
    """What the C2PA manifest of a file proves to us."""

    NONE = "none"
    OURS = "ours"  # signed under our root, bytes unchanged, names an asset of ours
    UNKNOWN_ASSET = "unknown_asset"  # signed under our root, names an asset we do not know
    ALTERED = "altered"  # does not fit these bytes any more, or is broken; proves nothing
    UNTRUSTED = "untrusted"  # names an asset of ours without our signature: a forgery, or an unknown signer
    FOREIGN = "foreign"  # of another signer, about another picture


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An asset of ours, with what identification needs of it."""

    asset_id: str
    watermark_id: int
    state: str  # released | recalled
    tenant: str


@dataclass(frozen=True, slots=True)
class WatermarkRead:
    """A watermark that was read: blind (by its own check digits) or informed (nearest to a candidate's id)."""

    watermark_id: int
    scheme: str
    bit_errors: int
    bits_heard: int
    false_probability: float
    asset: KnownAsset | None
    view: str  # where it was read: "whole", "turned", "region", "aligned"

    def to_json(self) -> dict[str, Any]:
        return {
            "watermark_id": f"{self.watermark_id:012x}",
            "scheme": self.scheme,
            "bit_errors": self.bit_errors,
            "bits_heard": self.bits_heard,
            "false_probability": self.false_probability,
            "asset_id": self.asset and self.asset.asset_id,
            "view": self.view,
        }


# Probability below which a damaged code is still evidence: so few pictures without it come as near.
LEANS = 1e-4
# So rarely that it names the asset, with content that agrees.
LEANS_FAR = 1e-6
# The share of an asset's structured places that a copy with its code must show to be an altered one.
PARTLY = 0.3


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate that was compared with the picture: how it was found, how well it fits, its watermark there."""

    asset: KnownAsset
    found_by: tuple[str, ...]  # manifest, code, hash, crop hash, features
    hash_distance: int | None
    votes: int | None
    original: bool  # whether the original could be opened
    method: str | None = None
    turn: int = 0
    inliers: int = 0
    matches: int = 0
    log10_chance: float = 0.0
    likeness: float = 0.0
    detail: float = 0.0
    fine: float = 0.0
    common: float = 0.0
    code: WatermarkRead | None = None
    content_agrees: bool = False
    content_sure: bool = False  # without a code that could be read
    code_chance: float = 1.0  # that a picture without this code comes as near to it, over all reads
    agreement: Agreement = NOTHING
    # Corners of the original in the query, from its upper left clockwise, as shares of the query's width and height.
    place: tuple[tuple[float, float], ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the code was read and all of the asset's frame that is seen is as near to it as a copy is."""
        return self.original and self.content_agrees and self.code is not None and self.agreement.near

    @property
    def coded(self) -> bool:
        """Whether a code speaks for this asset on a picture of which a good part is the asset's."""
        partly = self.content_agrees or self.agreement.same >= PARTLY
        return partly and (self.code is not None or self.code_chance <= LEANS_FAR)

    @property
    def leans(self) -> bool:
        """Whether the damaged watermark is evidence for this asset."""
        return self.code_chance <= LEANS

    def to_json(self) -> dict[str, Any]:
        return {
            "asset_id": self.asset.asset_id,
            "found_by": list(self.found_by),
            "hash_distance": self.hash_distance,
            "votes": self.votes,
            "original_available": self.original,
            "registration": self.method
            and {
                "method": self.method,
                "turn": self.turn,
                "inliers": self.inliers,
                "matches": self.matches,
                "log10_chance": round(self.log10_chance, 1),
            },
            "likeness": round(self.likeness, 4),
            "detail": round(self.detail, 4),
            "fine": round(self.fine, 4),
            "common": round(self.common, 4),
            "content_agrees": self.content_agrees,
            "code": self.code and self.code.to_json(),
            "code_chance": self.code_chance,
            "agreement": self.agreement.to_json(),
            "place": [[round(x, 4), round(y, 4)] for x, y in self.place],
        }


@dataclass(frozen=True, slots=True)
class Identification:
    """The result for one picture.

    `asset` is set for ours and ours_altered, where the content alone looks like one asset, and where one content
    contradicts other marks. `also` are further assets elsewhere in the picture.
    """

    finding: IdentificationFinding
    verified: bool
    asset: KnownAsset | None
    reasons: Sequence[str]  # sentences
    false_match_probability: float | None
    manifest: dict[str, Any]
    blind: WatermarkRead | None
    manifest_asset: KnownAsset | None = None
    candidates: Sequence[Examined] = ()
    picture: dict[str, Any] = field(default_factory=dict)
    agreement: Agreement | None = None
    place: tuple[tuple[float, float], ...] = ()
    also: Sequence[Examined] = ()

    def for_tenant(self, tenant: str) -> dict[str, Any]:
        """What this tenant may read. Of another tenant's asset: that it was made here, and whether it was recalled.

        Which asset it is, what else looked like it and what was compared belong to the owner.
        """
        assets = [each.asset for each in (*self.candidates, *self.also)] + [
            each for each in (self.asset, self._marked) if each
        ]
        foreign = {each.asset_id for each in assets if each.tenant != tenant}
        named = self.manifest_asset
        if named is not None and named.tenant != tenant:
            foreign.add(named.asset_id)
        claimed = None if self.finding is IdentificationFinding.SHARES_CONTENT else self.asset
        shown: dict[str, Any] = self.to_json() | {"made_here": claimed is not None or self._marked is not None}
        shown["state"] = claimed and claimed.state
        shown["own"] = self.asset is not None and self.asset.tenant == tenant
        if not foreign:
            return shown
        layers = shown["layers"]
        layers["candidates"] = [each for each in layers["candidates"] if each["asset_id"] not in foreign]
        hidden: dict[str, Any] = _without(shown, foreign)
        return hidden

    @property
    def _marked(self) -> KnownAsset | None:
        return self.blind.asset if self.blind else None

    def to_json(self) -> dict[str, Any]:
        return {
            "finding": self.finding.value,
            "verified": self.verified,
            "asset_id": self.asset and self.asset.asset_id,
            "reasons": list(self.reasons),
            "false_match_probability": self.false_match_probability,
            "agreement": self.agreement and self.agreement.to_json(),
            "place": [[round(x, 4), round(y, 4)] for x, y in self.place],
            "also": [_beside(each) for each in self.also],
            "layers": {
                "manifest": self.manifest,
                "watermark": self.blind and self.blind.to_json(),
                "candidates": [each.to_json() for each in self.candidates],
            },
            "picture": self.picture,
        }


def _beside(each: Examined) -> dict[str, Any]:
    whole = IdentificationFinding.OURS if each.agreement.near else IdentificationFinding.OURS_ALTERED
    return {
        "asset_id": each.asset.asset_id,
        "finding": whole.value,
        "verified": each.verified,
        "agreement": each.agreement.to_json(),
        "place": [[round(x, 4), round(y, 4)] for x, y in each.place],
    }


def _without(value: Any, hidden: set[str]) -> Any:
    """The same document without these ids, which are removed from sentences too."""
    if isinstance(value, dict):
        return {name: _without(inner, hidden) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, hidden) for inner in value]
    if not isinstance(value, str):
        return value
    if value in hidden:
        return None
    for asset_id in hidden:
        value = value.replace(asset_id, "of another tenant")
    return value
