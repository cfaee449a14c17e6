"""Decision from all layers: one of five findings, and the probability of a false match. Pure.

A claim (ours, ours_altered) needs a code, and the code of an asset on content that is its own. Content alone never
claims: pictures that one model draws of one prompt are as alike as a copy and its original. So the probability of a
false claim is that of the code alone, an upper bound for one search:

    blind     the reads tried x 7.5e-10
    informed  candidates compared x 16 reads x the chance of so few wrong bits, also where it is too damaged to be read

It counts pictures without the code. Against a code that was moved stands the comparison with the original, place by
place (agreement.py); how far that reaches is measured (python -m bench.siblings).
"""

from __future__ import annotations

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

# Two assets look equally like a picture when their scores are so near: the content alone names neither.
_ALIKE = 0.01
# Four schemes (watermark.carried), each in four ways (code_read.py).
_INFORMED_READS = 16
# Two assets are in one picture side by side when the places of neither cover more than this of the other.
_OVERLAP = 0.25


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
    picture: Mapping[str, Any],
) -> Identification:
    """The result. A code claims, content that is its asset's own bears it out, and nothing else claims."""
    claimed = sorted((each for each in examined if each.coded), key=_rank)
    best = claimed[0] if claimed else None
    like = sorted((each for each in examined if each.content_sure), key=_rank)
    named = best or (like[0] if like else None)
    contradictions = _contradictions(layer, blind, examined, named, claimed)
    alike = [] if best else [each for each in like if _score(like[0]) - _score(each) < _ALIKE]
    if contradictions:
        finding = IdentificationFinding.CONFLICTING
    elif best is not None:
        finding = IdentificationFinding.OURS if best.agreement.near else IdentificationFinding.OURS_ALTERED
    elif like:
        finding = IdentificationFinding.SHARES_CONTENT
        named = named if len(alike) == 1 else None
    else:
        finding = IdentificationFinding.NOT_FOUND
    return Identification(
        finding=finding,
        verified=finding is IdentificationFinding.OURS and best is not None and best.verified,
        asset=named.asset if named else None,
        reasons=(*contradictions, *_reasons(layer, best, alike, finding)),
        false_match_probability=false_match_probability(best, blind, examined) if best else None,
        manifest=layer.to_json(),
        blind=blind,
        manifest_asset=layer.asset,
        candidates=tuple(sorted(examined, key=_rank))[:8],
        picture=dict(picture),
        agreement=named.agreement if named else None,
        place=named.place if named else (),
        also=_beside(claimed),
    )


def false_match_probability(best: Examined, blind: WatermarkRead | None, examined: Sequence[Examined]) -> float:
    """The bound that the module describes, at most 1."""
    codes = [max(len(examined), 1) * best.code_chance]
    if best.code is not None:
        codes.append(_INFORMED_READS * max(len(examined), 1) * best.code.false_probability)
    if blind is not None and blind.watermark_id == best.asset.watermark_id:
        codes.append(blind.false_probability)
    return min(1.0, *codes)


def overlap(one: Examined, other: Examined) -> float:
    """The share of the smaller of two places that the other covers, as upright boxes; 1 where a place is not known."""
    if not one.place or not other.place:
        return 1.0
    (left, top, right, bottom), (left2, top2, right2, bottom2) = _box(one), _box(other)
    across, down = min(right, right2) - max(left, left2), min(bottom, bottom2) - max(top, top2)
    smaller = min((right - left) * (bottom - top), (right2 - left2) * (bottom2 - top2))
    return max(across, 0.0) * max(down, 0.0) / smaller if smaller > 0 else 1.0


def covered(each: Examined) -> float:
    """The share of the query that the asset's frame covers, as an upright box."""
    left, top, right, bottom = _box(each) if each.place else (0.0, 0.0, 1.0, 1.0)
    return max(right - left, 0.0) * max(bottom - top, 0.0)


def _box(each: Examined) -> tuple[float, float, float, float]:
    across, down = zip(*each.place, strict=True)
    return max(min(across), 0.0), max(min(down), 0.0), min(max(across), 1.0), min(max(down), 1.0)


def _beside(claimed: Sequence[Examined]) -> tuple[Examined, ...]:
    """The further assets of the picture, each at a place of its own."""
    kept = list(claimed[:1])
    for each in claimed[1:]:
        if all(overlap(each, other) <= _OVERLAP for other in kept):
            kept.append(each)
    return tuple(kept[1:])


def _rank(each: Examined) -> tuple[bool, bool, bool, bool, float]:
    return not each.verified, not each.coded, not each.content_sure, not each.content_agrees, -_score(each)


def _score(each: Examined) -> float:
    return each.likeness + each.detail + each.fine


def _contradictions(
    layer: ManifestLayer,
    blind: WatermarkRead | None,
    examined: Sequence[Examined],
    best: Examined | None,
    claimed: Sequence[Examined],
) -> list[str]:
    """Sentences; none where nothing contradicts the content. Of several assets in one picture each may be named."""
    said = []
    here = [each.asset for each in (*claimed, *([best] if best else []))]
    if blind is not None and blind.watermark_id not in [asset.watermark_id for asset in here]:
        said.append(_of_code(blind, examined, best))
    names = layer.asset if layer.standing in (ManifestStanding.OURS, ManifestStanding.UNTRUSTED) else None
    if names is not None and names.asset_id not in [asset.asset_id for asset in here]:
        whose = "trusted" if layer.standing is ManifestStanding.OURS else "untrusted"
        said.append(f"A {whose} manifest names asset {names.asset_id}; the picture is not that asset's.")
    return [each for each in said if each]


def _of_code(blind: WatermarkRead, examined: Sequence[Examined], best: Examined | None) -> str:
    if blind.asset is None:
        return "" if best is None else f"The picture carries a mark of unknown id {blind.watermark_id:012x}."
    seen = next((each for each in examined if each.asset.asset_id == blind.asset.asset_id), None)
    if seen is not None and not seen.original:
        return f"The mark names asset {blind.asset.asset_id}, whose original is not at hand to compare."
    return f"The mark names asset {blind.asset.asset_id}; the picture is not that asset's. Marks can be moved."


def _reasons(
    layer: ManifestLayer, best: Examined | None, alike: Sequence[Examined], finding: IdentificationFinding
) -> list[str]:
    said = []
    if best is not None and best.code is not None:
        said.append(f"The code of {best.asset.asset_id} reads: {best.code.bit_errors} of {best.code.bits_heard} bits "
                    "wrong.")  # fmt: skip
    elif best is not None:
        said.append(f"The code of {best.asset.asset_id} is damaged; what is left of it leans to that asset.")
    elif finding is IdentificationFinding.NOT_FOUND:
        said.append("No layer names a picture of ours. That is no proof that it is not: see docs/identify.md.")
    if best is not None:
        said.append(_of_content(best))
    if len(alike) == 1:
        said.append(f"It looks like {alike[0].asset.asset_id}, without a code that could be read. Other pictures "
                    "of the same model can look like that: this is no claim.")  # fmt: skip
    elif alike:
        names = ", ".join(each.asset.asset_id for each in alike[:5])
        said.append(f"It looks like {len(alike)} assets that resemble each other ({names}); the content tells them not "
                    "apart, and no code could be read. This is no claim.")  # fmt: skip
    if layer.standing is ManifestStanding.ALTERED:
        said.append("The file's manifest does not fit its bytes: it was edited after signing, or is broken.")
    if layer.standing is ManifestStanding.FOREIGN:
        said.append("The file carries a manifest of another issuer.")
    if layer.standing is ManifestStanding.UNKNOWN_ASSET:
        said.append("A manifest under our root names an asset that this installation does not know.")
    if layer.standing is ManifestStanding.UNTRUSTED and finding is not IdentificationFinding.CONFLICTING:
        said.append("The file's manifest names the right asset without our signature: it was not made here.")
    return said


def _of_content(best: Examined) -> str:
    seen = best.agreement
    if not best.original:
        return "Its original is gone, so that only its fingerprint could be compared."
    if seen.near:
        return "All of the asset's frame that the picture shows agrees with it."
    if seen.whole:
        return (
            f"Nothing in the asset's frame shows something else, but the picture lies {seen.apart:.1f} times as far "
            "from it as copies do: it is worn or filtered, or the code was moved onto a picture that was drawn like it."
        )
    return (
        f"{seen.other:.1%} of the asset's frame shows something else: it was altered after its release, or its code "
        "was moved onto another picture."
    )
