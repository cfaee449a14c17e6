"""Search pipeline of identification: manifest, then a blind read of the watermark, then candidates by similarity.

Each layer names assets. Each named asset is compared with the picture (examine), and `decide` weighs the evidence.
Nothing is written. It takes 0.1 to 3 seconds of one core, and asks the library for records and originals while it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from policy.fingerprints import Image
from policy.identify.answer import Examined, Identification, KnownAsset, WatermarkRead
from policy.identify.content.agreement import NOTHING
from policy.identify.decide import covered, decide, manifest_layer
from policy.identify.descriptors import projections
from policy.identify.examine import Candidate, examine
from policy.identify.hashes import HashMatch
from policy.identify.index import Index
from policy.identify.original import Original
from policy.identify.register import resized
from policy.identify.views import MIRRORED, BlindRead, Views
from policy.intake.picture import Picture, open_picture
from policy.marks import payload
from policy.marks.provenance.manifest import Manifest, ManifestReader

# Larger pictures are shrunk to this first: a screenshot of 4K keeps two pixels of three.
LONGEST_SIDE = 2560
# A query takes at most so many candidates by hash, by the hashes of crops, and by votes of the picture as it is and
# mirrored; each costs 5 to 100 ms.
MOST_BY_HASH, MOST_BY_CROP, MOST_BY_VOTES, MOST_LOW_TEXTURE, MOST_INVERTED = 12, 4, 20, 12, 4
# Unrelated pictures differ in 128 of 256 bits, with a spread of 14 or so (bench/identify.py).
_FARTHEST_HASH, _FARTHEST_CROP = 88, 72
# So near that, with its code, a picture is the one whose original is gone.
_SAME_HASH = 56
# Beside one that was verified so many candidates by features are looked at, in case they lie elsewhere in the picture.
_MOST_BESIDE = 4
# An asset that covers more of the query leaves no room for another one.
_FILLED = 0.6
# An asset that a mark names is looked for among so many nearest.
_NAMED_AMONG = 4
# What a word of 127 bits costs blind: bits wrong at most 10 and a CRC of 16 bits, twelve reads (marks/watermark.py).
_BLIND_FALSE = 7.5e-10
# The whole picture eight ways, four regions two ways.
_MOST_BLIND_READS = 16


class Library(Protocol):
    """What is known about our assets. Every answer may change from call to call. None: there is no such asset."""

    def by_id(self, asset_id: str) -> KnownAsset | None: ...

    def by_watermark(self, watermark_id: int) -> KnownAsset | None: ...

    def by_number(self, number: int) -> KnownAsset | None:
        """By its number in the index."""

    def original(self, asset: KnownAsset) -> Original | None:
        """None where its file can no longer be read."""


def identify(data: bytes, index: Index, library: Library, manifests: ManifestReader) -> Identification:
    """The identification of these bytes. Raises PictureRefused for bytes that are not a picture within the limits."""
    picture = open_picture(data)
    manifest = manifests.read(data, picture.media_type)
    return identify_pixels(picture, manifest, index, library)


def identify_pixels(picture: Picture, manifest: Manifest | None, index: Index, library: Library) -> Identification:
    """The same for an opened picture and its manifest."""
    views = Views(_shrunk(picture.pixels))
    layer = manifest_layer(manifest, library.by_id)
    read = views.read_blind()
    blind = _blind(read, library)
    examined: list[Examined] = []
    named: list[Candidate] = []
    if read is not None and blind is not None and blind.asset is not None:
        named.append(Candidate(blind.asset, ("code",), framed=True, view=read.view, turn=read.turn))
    if layer.asset is not None:
        named.append(Candidate(layer.asset, ("manifest",), framed=True))
    beside = 0  # candidates that were examined for what else is in the picture
    for candidates in _stages(views, named, index, library):
        for candidate in candidates:
            before = next((each for each in examined if each.asset.asset_id == candidate.asset.asset_id), None)
            if before is not None and (before.method is not None or not candidate.framed):
                continue
            if before is not None:  # no map was found; now it may be the whole frame
                examined.remove(before)
            if not candidate.framed and sum(each.verified for each in examined) and beside >= _MOST_BESIDE:
                break
            beside += any(each.verified for each in examined)
            examined.append(_by_fingerprint(examine(views, candidate, library.original(candidate.asset)), blind))
            if _fills(examined[-1]):
                break
        # Content and code agree on one asset that fills the picture: no other can. Whole pictures that look alike have
        # all been compared when one of them is sure by content: sharing places with others adds nothing.
        if any(_fills(each) or (each.content_sure and covered(each) > _FILLED) for each in examined):
            break
    return decide(layer, blind, examined, picture=_facts(picture))


def _by_fingerprint(seen: Examined, blind: WatermarkRead | None) -> Examined:
    """The candidate, agreed by its hash and the blind read where its original is gone; that is never verified."""
    if seen.original or blind is None or blind.asset != seen.asset or seen.hash_distance is None:
        return seen
    if seen.hash_distance > _SAME_HASH:
        return seen
    unseen = replace(NOTHING, other=0.0, apart=0.0)
    return replace(seen, method="fingerprint", content_agrees=True, code=blind, agreement=unseen)


def _fills(each: Examined) -> bool:
    """Whether this asset is the picture, so that no other is in it."""
    return each.verified and covered(each) > _FILLED


def _stages(views: Views, named: Sequence[Candidate], index: Index, library: Library) -> Iterator[list[Candidate]]:
    """Candidates, cheapest first: those that marks name, those with a near hash, those that share features."""
    yield [_with_distance(each, views, index, library) for each in named]
    near = index.nearest([each.hash for each in views.hashes], most=MOST_BY_HASH)
    like = [found for found in near if found.distance <= _FARTHEST_HASH]
    yield [_alike(asset, found, views) for found in like if (asset := library.by_number(found.number))]
    for turn in (0, MIRRORED):
        voted = index.voted(projections(views.features(turn).descriptors), most=MOST_BY_VOTES)
        found_by = [(library.by_number(found.number), found.votes) for found in voted]
        yield [Candidate(known, ("features",), votes=votes) for known, votes in found_by if known]
    yield _low_texture(views, index, library)
    upright = [each.hash for each in views.hashes if each.turn in (0, MIRRORED)]
    parts = [found for found in index.nearest_crops(upright, most=MOST_BY_CROP) if found.distance <= _FARTHEST_CROP]
    yield [Candidate(known, ("crop hash",)) for found in parts if (known := library.by_number(found.number))]
    yield _inverted(views, index, library)


def _inverted(views: Views, index: Index, library: Library) -> list[Candidate]:
    """Whole pictures that look like the query with dark and bright exchanged: every bit of the hash is the opposite."""
    upright = [each for each in views.hashes if each.turn in (0, MIRRORED)]
    opposite = [bytes(byte ^ 0xFF for byte in each.hash) for each in upright]
    return [
        Candidate(known, ("hash",), found.distance, framed=True, view=like.view, turn=like.turn)
        for found in index.nearest(opposite, most=MOST_INVERTED)
        if found.distance <= _FARTHEST_CROP and (known := library.by_number(found.number))
        for like in (upright[found.query],)
    ]


def _low_texture(views: Views, index: Index, library: Library) -> list[Candidate]:
    """Low-texture pictures that a low-texture view may be a part of."""
    asked = [(view, turn) for view in views.low_texture() for turn in (0, MIRRORED)]
    parts = index.nearest_low_texture([views.turned(view, turn) for view, turn in asked], most=MOST_LOW_TEXTURE)
    return [
        Candidate(known, ("colours",), view=asked[part.query][0], turn=asked[part.query][1], window=part.window)
        for part in parts
        if (known := library.by_number(part.number))
    ]


def _with_distance(named: Candidate, views: Views, index: Index, library: Library) -> Candidate:
    """A candidate that a mark named, with the distance of its hash from the view that the mark was read from."""
    for found in index.nearest([views.hash(named.view, named.turn)], most=_NAMED_AMONG):
        known = library.by_number(found.number)
        if found.distance <= _FARTHEST_HASH and known is not None and known.asset_id == named.asset.asset_id:
            return replace(named, found_by=(*named.found_by, "hash"), hash_distance=found.distance)
    return named


def _alike(asset: KnownAsset, near: HashMatch, views: Views) -> Candidate:
    like = views.hashes[near.query]
    return Candidate(asset, ("hash",), near.distance, framed=True, view=like.view, turn=like.turn)


def _blind(read: BlindRead | None, library: Library) -> WatermarkRead | None:
    if read is None:
        return None
    reading = read.reading
    asset = library.by_watermark(reading.watermark_id)
    errors = reading.bit_errors
    return WatermarkRead(
        reading.watermark_id,
        reading.scheme.name,
        errors,
        payload.CODE_BITS,
        _BLIND_FALSE * _MOST_BLIND_READS,
        asset,
        read.where,
    )


def _shrunk(pixels: Image) -> Image:
    """The picture at a size at which none of our watermarks and features is lost."""
    scale = LONGEST_SIDE / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    return resized(pixels, max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))


def _facts(picture: Picture) -> dict[str, object]:
    return {
        "media_type": picture.media_type,
        "width": picture.width,
        "height": picture.height,
        "frames": picture.frames,
        "trailing_bytes": picture.trailing_bytes,
    }
