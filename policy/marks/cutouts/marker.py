"""Marker of cut-outs: watermark -> file with alpha -> XMP -> C2PA last -> everything read back from the final bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policy.errors import MarkUnreadable
from policy.marks import xmp
from policy.marks.channels.channel import Channel
from policy.marks.cutouts.files import (
    CUTOUT_CODINGS,
    CUTOUT_FILES,
    Alpha,
    decode_cutout,
    encode_cutout,
    over,
    without_ground,
)
from policy.marks.cutouts.mark import UNREAD, check_cutout, cutout_evidence, embed_cutout, read_cutout, schemes
from policy.marks.marker import Marked, Marker, mark_evidence, marked_file, require_markable
from policy.marks.pixel_check import compare
from policy.marks.provenance import signing
from policy.marks.renditions import ORIGINAL, ordered
from policy.marks.stamp import UNMARKED, EditSource, Stamp, declaration, source_type
from policy.marks.watermark import Image
from policy.marks.writers import NumpyWriter


class CutoutMarker(Marker):
    """A Marker that also marks products on transparent ground. Safe to use from several threads."""

    def mark_cutout(
        self,
        colours: Image,
        alpha: Alpha,
        stamp: Stamp,
        renditions: Sequence[str] = (ORIGINAL,),
        *,
        source: EditSource | None = None,
        channels: Sequence[Channel] = (),
        label_language: str = "",
        unmarked: bool = False,
    ) -> tuple[Marked, ...]:
        """The finished files of a cut-out: RGB uint8 [H, W, 3] and alpha uint8 [H, W], which stays bit for bit.

        The watermark sits in opaque pixels. Below transparent ones nothing of the old ground is kept. Formats without
        transparency show the product on white, and channels on their own ground: pictures like any other, marked so.
        Raises as `mark_all`; MarkUnreadable where the product is too small for a watermark, unless such cut-outs may
        leave `unmarked`, with their manifest alone.
        """
        require_markable(colours)
        signing.check_dates(self._signer)
        check_cutout(colours, alpha)
        clean = without_ground(colours, alpha)
        files = []
        for name in ordered(renditions):
            if name in CUTOUT_FILES:
                files.append(self._cutout(name, clean, alpha, stamp, source, unmarked=unmarked))
                continue
            flat = over(clean, alpha, 255)
            (marked,) = NumpyWriter().prepare(flat[None], [stamp.watermark_id])
            files.append(self._rendition(name, flat, marked, stamp, source))
        for channel in channels:
            ground = np.array(channel.background, np.uint8)
            shown = over(clean, alpha, ground)
            files.append(self._channel_file(channel, shown, stamp, source, label_language))
        return tuple(files)

    def _cutout(
        self, name: str, colours: Image, alpha: Alpha, stamp: Stamp, source: EditSource | None, *, unmarked: bool
    ) -> Marked:
        packet = xmp.packet(stamp, self._maker, source_type(stamp, source))
        refused: list[str] = []
        for coding in CUTOUT_CODINGS[CUTOUT_FILES[name]]:
            for scheme in schemes(alpha):
                packed = encode_cutout(embed_cutout(colours, alpha, stamp.watermark_id, scheme), alpha, coding, packet)
                data = self._writer.sign(packed, coding.media_type, stamp, scheme.name, source=source)
                pixels, shown = decode_cutout(data, coding.media_type)
                if not np.array_equal(shown, alpha):
                    refused.append(f"{coding.name}: the transparency changed")
                    continue
                found = read_cutout(pixels, alpha)
                reading = found.reading
                if not found.holds or reading is None or reading.watermark_id != stamp.watermark_id:
                    refused.append(
                        f"{scheme.name} in {coding.name}: reads over {', '.join(found.grounds) or 'nothing'}"
                    )
                    continue
                difference = compare(over(colours, alpha, 255), over(pixels, alpha, 255), lossless=coding.lossless)
                if difference.too_far:
                    refused.append(f"{scheme.name} in {coding.name}: {difference.too_far}")
                    continue
                manifest = self._checked(data, coding, stamp)
                evidence = mark_evidence(stamp, reading, coding, difference, manifest) | cutout_evidence(alpha, found)
                declared = {"declaration": declaration(stamp, source), "label": None}
                return marked_file(name, data, pixels, coding, evidence | declared)
        if unmarked:
            return self._without_watermark(name, colours, alpha, stamp, source)
        why = "the product is too small or too thin for a watermark; send it larger in its picture"
        raise MarkUnreadable(f"asset {stamp.asset_id}, {name}: {why} ({'; '.join(refused)})")

    def _without_watermark(
        self, name: str, colours: Image, alpha: Alpha, stamp: Stamp, source: EditSource | None
    ) -> Marked:
        """Manifest and, later, fingerprint are what it is known by; the manifest names no watermark."""
        coding = CUTOUT_CODINGS[CUTOUT_FILES[name]][0]
        packet = xmp.packet(stamp, self._maker, source_type(stamp, source))
        packed = encode_cutout(colours, alpha, coding, packet)
        data = self._writer.sign(packed, coding.media_type, stamp, UNMARKED, source=source)
        pixels, shown = decode_cutout(data, coding.media_type)
        difference = compare(over(colours, alpha, 255), over(pixels, alpha, 255), lossless=coding.lossless)
        if difference.too_far or not np.array_equal(shown, alpha):
            raise MarkUnreadable(f"asset {stamp.asset_id}, {name}: {coding.name} changed the product")
        manifest = self._checked(data, coding, stamp, bound=False)
        evidence = mark_evidence(stamp, None, coding, difference, manifest)
        declared = {"declaration": declaration(stamp, source), "label": None}
        return marked_file(name, data, pixels, coding, evidence | cutout_evidence(alpha, UNREAD) | declared)
