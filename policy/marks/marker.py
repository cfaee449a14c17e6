"""Marker of screened pictures: writes every mark, then reads every mark back from the bytes that will be released.

Order: watermark -> file -> XMP -> C2PA last -> decode the final bytes, read the watermark, check the manifest, compare
the pixels with the screened ones. Every rendition goes through this by itself, down a ladder of its own: stronger
watermark, 4:4:4 chroma, lossless; after the last rung the picture is held. Nothing is kept between calls, so a process
that dies anywhere leaves no trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.errors import MarkError, MarkUnreadable
from policy.marks import watermark, xmp
from policy.marks.channels.channel import Channel
from policy.marks.channels.rendered import RenderedPicture, for_channel
from policy.marks.encode import Coding, decode, encode
from policy.marks.locks.product_lock import NO_ROOM, ProductLock
from policy.marks.pixel_check import PixelDifference, compare
from policy.marks.provenance import signing
from policy.marks.provenance.manifest import Manifest, ManifestReader, ManifestWriter, require_trusted
from policy.marks.provenance.signing import Signer
from policy.marks.pure_ground import KEPT, PureGround
from policy.marks.renditions import LARGEST_SIDE, ORIGINAL, SMALLEST_SIDE, ordered
from policy.marks.stamp import UNMARKED, EditSource, Maker, Stamp, declaration, source_type
from policy.marks.watermark import Image, WatermarkReading
from policy.marks.writers import NumpyWriter, PreparedMark, Write, Writer

__all__ = ["Marked", "Marker", "Stamp", "evidence"]


@dataclass(frozen=True, slots=True)
class Marked:
    """A finished file, and the evidence that its marks read back. `evidence` is JSON-ready."""

    name: str
    data: bytes
    media_type: str
    width: int
    height: int
    sha256: str
    evidence: dict[str, Any]


class Marker:
    """Marks pictures with one signer, under one name. Safe to use from several threads.

    The constructor signs a challenge, so a missing, expired or foreign key shows at start: it raises
    SigningUnavailable. With a `timestamp_url` every signature carries a time stamp of that RFC 3161 authority, or the
    picture is not released.
    """

    def __init__(
        self,
        signer: Signer,
        trust_anchors: str,
        generator: str,
        version: str,
        *,
        timestamp_url: str = "",
        writer: Writer | None = None,
    ) -> None:
        signing.check(signer)
        self._signer = signer
        self._maker = Maker(generator, version)
        self._writer = ManifestWriter(signer, self._maker, timestamp_url=timestamp_url)
        self._reader = ManifestReader(trust_anchors)
        self._timed = bool(timestamp_url)
        self._marking = writer or NumpyWriter()

    def prepare(self, images: NDArray[np.uint8], ids: Sequence[int]) -> list[PreparedMark]:
        """Watermark writers for pictures that are sampled together, uint8 [N, H, W, 3]; a device marks them together.

        The result is for `mark_all`. Pictures that are too small to be marked are refused later, one by one.
        """
        if min(images.shape[1:3]) < SMALLEST_SIDE:
            return NumpyWriter().prepare(images, ids)
        return self._marking.prepare(images, ids)

    def mark(self, image: Image, stamp: Stamp, *, source: EditSource | None = None) -> Marked:
        """The original rendition alone: see `mark_all`."""
        return self.mark_all(image, stamp, (ORIGINAL,), source=source)[0]

    def mark_all(
        self,
        image: Image,
        stamp: Stamp,
        renditions: Sequence[str],
        *,
        source: EditSource | None = None,
        write: PreparedMark | None = None,
        channels: Sequence[Channel] = (),
        label_language: str = "",
        lock: ProductLock | None = None,
    ) -> tuple[Marked, ...]:
        """The finished files of an RGB picture, uint8 [H, W, 3], sides of 64 to 8192 pixels; the original first.

        Behind the renditions comes a file for each channel, fitted and labelled, with marks of its own. The language of
        a label is `label_language`, else that of its channel. With a source the picture is an edit of it. `write` is
        this picture's element of `prepare`. With a lock, what each file changed of the product is measured, bounded and
        said in its manifest. All files or none.
        Raises SigningUnavailable (wait for a key), MarkUnreadable (hold the picture), ManifestInvalid, MarkError.
        """
        require_markable(image)
        signing.check_dates(self._signer)
        (marked,) = [write] if write else self._marking.prepare(image[None], [stamp.watermark_id])
        files = [self._rendition(name, image, marked, stamp, source, lock=lock) for name in ordered(renditions)]
        files += [self._channel_file(channel, image, stamp, source, label_language, lock=lock) for channel in channels]
        return tuple(files)

    def _rendition(
        self,
        name: str,
        image: Image,
        marked: PreparedMark,
        stamp: Stamp,
        source: EditSource | None,
        *,
        lock: ProductLock | None = None,
    ) -> Marked:
        return self._file(RenderedPicture(name, image, lock=lock), marked, stamp, source)

    def _channel_file(
        self,
        channel: Channel,
        image: Image,
        stamp: Stamp,
        source: EditSource | None,
        language: str,
        *,
        lock: ProductLock | None = None,
    ) -> Marked:
        picture = for_channel(channel, image, declaration(stamp, source), language, lock)
        require_markable(picture.image)
        (own,) = NumpyWriter().prepare(picture.image[None], [stamp.watermark_id])
        labelled = replace(stamp, label=picture.label.text if picture.label else "")
        return self._file(picture, own, labelled, source)

    def _file(
        self, picture: RenderedPicture, prepared: PreparedMark, stamp: Stamp, source: EditSource | None
    ) -> Marked:
        name, image, lock = picture.name, picture.image, picture.lock
        packet = xmp.packet(stamp, self._maker, source_type(stamp, source))
        ground, marked = prepared.ground, cast(Write, prepared)
        if lock and lock.strict:
            marked = lock.write(image, stamp.watermark_id, ground)
        refused: list[str] = []
        for scheme, coding, keeps in picture.rungs(marked, ground):
            called = scheme.name if scheme else UNMARKED
            copy = marked(scheme) if scheme else image
            packed = encode(copy, coding, packet)
            if len(packed) > picture.max_bytes:
                refused.append(f"{coding.name}: {len(packed):,} bytes")
                continue
            encoded = decode(packed, coding.media_type) if (ground or lock) and not coding.lossless else copy
            kept = ground.kept(image, encoded) if ground else 1.0
            if keeps and kept < KEPT:
                refused.append(f"{coding.name}: {kept:.1%} of the {ground.colour if ground else ''} ground kept")
                continue
            after = lock.reading(image, encoded, lossless=coding.lossless) if lock else None
            if after and after.too_far:
                refused.append(f"{called} in {coding.name}: {after.too_far}")
                continue
            said = lock.public(after, scheme) if lock and after else None
            data = self._writer.sign(packed, coding.media_type, stamp, called, source=source, lock=said)
            if len(data) > picture.max_bytes:
                refused.append(f"{coding.name}: {len(data):,} bytes")
                continue
            pixels = decode(data, coding.media_type)
            reading = watermark.read(pixels) if scheme else None
            if scheme and (reading is None or (reading.watermark_id, reading.scheme) != (stamp.watermark_id, scheme)):
                refused.append(f"{called} in {coding.name}: no watermark reads back")
                continue
            difference = compare(image, pixels, lossless=coding.lossless)
            if difference.too_far:
                refused.append(f"{called} in {coding.name}: {difference.too_far}")
                continue
            if coding.lossless and cv2.norm(pixels, copy, cv2.NORM_INF) > 0:
                refused.append(f"{called} in {coding.name}: the file does not decode to the pixels that were encoded")
                continue
            manifest = self._checked(data, coding, stamp, bound=scheme is not None)
            evidence = mark_evidence(stamp, reading, coding, difference, manifest) | _declared(picture, stamp, source)
            locked = {"lock": lock.evidence(after, scheme, ground)} if lock and after else {}
            return marked_file(name, data, pixels, coding, evidence | _ground_kept(ground, kept) | locked)
        raise MarkUnreadable(f"asset {stamp.asset_id}, {name}: {'; '.join(refused) or NO_ROOM}")

    def _checked(self, data: bytes, coding: Coding, stamp: Stamp, *, bound: bool = True) -> Manifest:
        manifest = self._reader.read(data, coding.media_type)
        return require_trusted(manifest, stamp, timed=self._timed, bound=bound)


def evidence(files: Sequence[Marked]) -> dict[str, Any]:
    """The ledger's record of one asset: the marks of the original, and those of its other files by name."""
    others = {file.name: file.evidence for file in files[1:]}
    return {**files[0].evidence, **({"renditions": others} if others else {})}


def _declared(picture: RenderedPicture, stamp: Stamp, source: EditSource | None) -> dict[str, Any]:
    """What the file says of its making: the declaration, and the visible label or that there is none."""
    said: dict[str, Any] = {"declaration": declaration(stamp, source)}
    if stamp.origin and picture.channel is None:
        said["origin"] = stamp.origin.to_json()
    return said | {"label": picture.label.to_json() if picture.label else None}


def _ground_kept(ground: PureGround | None, kept: float) -> dict[str, Any]:
    return {"pure_ground": ground.to_json(kept)} if ground else {}


def require_markable(image: Image) -> None:
    """Raises MarkError for what is no RGB picture, and for sides that no watermark was measured on."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise MarkError(f"expected RGB pixels, uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE or max(height, width) > LARGEST_SIDE:
        raise MarkError(f"{width} x {height} pixels: sides of {SMALLEST_SIDE} to {LARGEST_SIDE} can be marked")


def mark_evidence(
    stamp: Stamp, reading: WatermarkReading | None, coding: Coding, difference: PixelDifference, manifest: Manifest
) -> dict[str, Any]:
    """The ledger's record of the marks of one file. Without a reading it carries none, as the rule set allows."""
    return {
        "watermark": {
            "scheme": reading.scheme.name if reading else UNMARKED,
            "id": stamp.watermark_hex,
            "bit_errors": reading.bit_errors if reading else None,
            "psnr_db": round(difference.psnr_db, 2),
            "max_shift": difference.max_shift,
        },
        "coding": coding.name,
        "manifest": {
            "label": manifest.label,
            "state": manifest.state,
            "signer": manifest.signer,
            **({"timestamp": manifest.timestamp} if manifest.timestamp else {}),
        },
        "digital_source_type": manifest.digital_source_type,
    }


def marked_file(name: str, data: bytes, pixels: Image, coding: Coding, evidence: dict[str, Any]) -> Marked:
    """A finished file with its size and digest."""
    height, width = pixels.shape[:2]
    return Marked(name, data, coding.media_type, width, height, hashlib.sha256(data).hexdigest(), evidence)
