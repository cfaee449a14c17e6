"""Decision from all layers: ours, not found or conflicting, and the probability of a false match. Pure.

False-match probability, an upper bound on the expected number of wrong finds in one search of N indexed assets:

    content   N x expected maps by chance (register.log10_chance), or for whole frames
              N x H x P(Bin(n, 1/2) <= d n / 256) with H hashes asked, d the distance and n the degrees of freedom
              measured between unrelated pictures
    code      blind: the reads tried x 5.5e-10; informed: candidates compared x 6 reads x the chance of so few wrong
              bits
    both      N x content x code: chroma's fine steps and luma's coarse shapes are treated as independent

It counts foreign pictures taken for ours. It says nothing about a near twin made with the same model; the watermark
distinguishes those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policy.identify.answer import (
    Examined,
    Identification,
    IdentificationFinding,
    KnownAsset,
    ManifestStanding,
    WatermarkRead,
)
from policy.marks.provenance.manifest import Manifest

# Hash bits of one picture are not independent; between unrelated pictures they vary as this many would
# (p (1 - p) / variance of the normalised distance, after Daugman 2004; bench/identify.py measures it).
HASH_FREEDOM = 90
_HASHES_ASKED = 24


@dataclass(frozen=True, slots=True)
class ManifestLayer:
    """What the file's manifest says, and what that proves."""

    standing: ManifestStanding
    asset: KnownAsset | None
    manifest: Manifest | None

    def to_json(self) -> dict[str, Any]:
        said = self.manifest
        return {
            "standing": self.standing.value,
            "asset_id": self.asset and self.asset.asset_id,
            **(
                {
                    "state": said.state,
                    "signer": said.signer,
                    "generator": said.generator,
                    "claims_asset_id": said.asset_id or None,
                    "digital_source_type": said.digital_source_type or None,
                    "failures": list(said.failures[:10]),
                }
                if said
                else {}
            ),
        }


def manifest_layer(manifest: Manifest | None, by_id: Callable[[str], KnownAsset | None]) -> ManifestLayer:
    """The standing of a manifest: trusted under our root or not, about an asset of ours or not."""
    if manifest is None:
        return ManifestLayer(ManifestStanding.NONE, None, None)
    asset = by_id(manifest.asset_id) if manifest.asset_id else None
    match manifest.state, asset:
        case "Trusted", KnownAsset():
            standing = ManifestStanding.OURS
        case "Trusted", None if manifest.asset_id:
            standing = ManifestStanding.UNKNOWN_ASSET
        case "Invalid", _:
            standing = ManifestStanding.ALTERED
        case _, KnownAsset():
            standing = ManifestStanding.UNTRUSTED
        case _:
            standing = ManifestStanding.FOREIGN
    return ManifestLayer(standing, asset, manifest)


def decide(
    layer: ManifestLayer,
    blind: WatermarkRead | None,
    examined: Sequence[Examined],
    *,
    indexed: int,
    picture: Mapping[str, Any],
) -> Identification:
    """The result. Content decides which asset it is. Marks confirm or contradict it, and never decide alone."""
    best = _best(examined)
    contradictions = _contradictions(layer, blind, examined, best)
    chance = false_match_probability(best, blind, examined, indexed) if best and _counted(best) else None
    if contradictions:
        finding = IdentificationFinding.CONFLICTING
    elif best:
        finding = IdentificationFinding.OURS
    else:
        finding = IdentificationFinding.NOT_FOUND
    return Identification(
        finding=finding,
        verified=finding is IdentificationFinding.OURS and best is not None and best.verified,
        asset=best.asset if best else None,
        reasons=(*contradictions, *_reasons(layer, best, finding)),
        false_match_probability=chance,
        manifest=layer.to_json(),
        blind=blind,
        manifest_asset=layer.asset,
        candidates=tuple(sorted(examined, key=_rank))[:8],
        picture=dict(picture),
    )


def false_match_probability(
    best: Examined, blind: WatermarkRead | None, examined: Sequence[Examined], indexed: int
) -> float:
    """The bound that the module describes, at most 1."""
    searched = max(indexed, 1)
    content = searched * _content_chance(best)
    codes = []
    if best.code is not None:
        codes.append(6 * max(len(examined), 1) * best.code.false_probability)
    elif best.leans:
        codes.append(max(len(examined), 1) * best.code_chance)
    if blind is not None and blind.watermark_id == best.asset.watermark_id:
        codes.append(blind.false_probability)
    return min(1.0, content * min(1.0, *codes, 1.0))


def _counted(best: Examined) -> bool:
    """Whether the evidence has a formula. A frame that was searched for in the original has none."""
    return best.code is not None or best.leans or _content_chance(best) < 1


def _content_chance(best: Examined) -> float:
    chances = [1.0]
    if best.method == "features":
        chances.append(10.0**best.log10_chance)
    if best.hash_distance is not None:
        chances.append(_HASHES_ASKED * hash_chance(best.hash_distance))
    return min(chances)


def hash_chance(distance: int) -> float:
    """The probability that an unrelated picture's hash is so near."""
    near = math.floor(distance * HASH_FREEDOM / 256)
    ways: int = sum(math.comb(HASH_FREEDOM, wrong) for wrong in range(near + 1))
    return ways / (1 << HASH_FREEDOM)


def _rank(each: Examined) -> tuple[bool, bool, bool, float]:
    return not each.verified, not each.content_sure, not each.content_agrees, -(each.likeness + each.detail + each.fine)


def _best(examined: Sequence[Examined]) -> Examined | None:
    """The asset whose content it is: verified by its watermark, or sure without it."""
    named = sorted((each for each in examined if each.verified or each.content_sure), key=_rank)
    return named[0] if named else None


def _contradictions(
    layer: ManifestLayer, blind: WatermarkRead | None, examined: Sequence[Examined], best: Examined | None
) -> list[str]:
    """Sentences; none where nothing contradicts the content."""
    said = []
    if blind is not None and (best is None or blind.watermark_id != best.asset.watermark_id):
        said.append(_of_code(blind, examined, best))
    if layer.standing in (ManifestStanding.OURS, ManifestStanding.UNTRUSTED) and layer.asset is not None:
        other = best is None or best.asset.asset_id != layer.asset.asset_id
        if other:
            whose = "trusted" if layer.standing is ManifestStanding.OURS else "untrusted"
            said.append(f"A {whose} manifest names asset {layer.asset.asset_id}; the picture is not that asset's.")
    return [each for each in said if each]


def _of_code(blind: WatermarkRead, examined: Sequence[Examined], best: Examined | None) -> str:
    if blind.asset is None:
        return "" if best is None else f"The picture carries a mark of unknown id {blind.watermark_id:012x}."
    seen = next((each for each in examined if each.asset.asset_id == blind.asset.asset_id), None)
    if seen is not None and not seen.original:
        return f"The mark names asset {blind.asset.asset_id}, whose original is not at hand to compare."
    return f"The mark names asset {blind.asset.asset_id}; the picture is not that asset's. Marks can be moved."


def _reasons(layer: ManifestLayer, best: Examined | None, finding: IdentificationFinding) -> list[str]:
    said = []
    if best is not None and best.verified and best.code is not None:
        said.append(f"Content and code agree: {best.code.bit_errors} of {best.code.bits_heard} bits wrong.")
    elif best is not None and best.leans:
        said.append(f"The content is that of {best.asset.asset_id}; its code is damaged, what is left leans to it.")
    elif best is not None:
        said.append(f"The content is that of {best.asset.asset_id}; its code could not be read.")
    elif finding is IdentificationFinding.NOT_FOUND:
        said.append("No layer names a picture of ours. That is no proof that it is not: see docs/identify.md.")
    if layer.standing is ManifestStanding.ALTERED:
        said.append("The file's manifest does not fit its bytes: it was edited after signing, or is broken.")
    if layer.standing is ManifestStanding.FOREIGN:
        said.append("The file carries a manifest of another issuer.")
    if layer.standing is ManifestStanding.UNKNOWN_ASSET:
        said.append("A manifest under our root names an asset that this installation does not know.")
    if layer.standing is ManifestStanding.UNTRUSTED and finding is IdentificationFinding.OURS:
        said.append("The file's manifest names the right asset without our signature: it was not made here.")
    return said
