"""Informed read of a watermark: the bits of a registered copy held against the id of one asset. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from policy.fingerprints import Image
from policy.identify.answer import KnownAsset, WatermarkRead
from policy.identify.content.recolour import uncoloured
from policy.marks import nearest, watermark

Toned = tuple[Image, Image]  # pixels, and where they are known


def read_code(
    copy: Toned,
    toned: Toned | None,
    original: Image,
    schemes: Sequence[watermark.Scheme],
    asset: KnownAsset,
    *,
    recolours: bool,
) -> tuple[WatermarkRead | None, float]:
    """The asset's own id, if the bits are near enough, of the registered copy as it is or with its tone undone.

    With `recolours` also with the original's colours, for a copy that looks like its original in others.

    The second value is the probability that a picture without this watermark comes as near to the id in any of the
    reads.
    """
    laid, known = copy
    ways = [copy]
    if toned is not None:
        ways += [toned, (toned[0], known)]  # without what was cut off, and with it, where that is nearly everything
    chances: list[float] = []
    for image, seen in ways:
        read, chance = read_in(image, seen, schemes, asset)
        chances.append(chance)
        if read is not None:
            return read, chance
    if recolours and (recoloured := uncoloured(laid, known, original)) is not None:
        read, chance = read_in(recoloured, known, schemes, asset)
        chances.append(chance)
        if read is not None:
            return read, chance
    return None, min(1.0, len(chances) * min(chances))


def read_in(
    laid: Image, known: Image, schemes: Sequence[watermark.Scheme], asset: KnownAsset
) -> tuple[WatermarkRead | None, float]:
    """The same in one way."""
    chance = 1.0
    for scheme, bits in zip(schemes, watermark.soft_bits_of(laid, schemes, known), strict=True):
        match = nearest.match(bits, [asset.watermark_id], at_most=1.0)
        if match is None:
            continue
        chance = min(chance, len(schemes) * match.false_probability)
        if match.false_probability <= nearest.MAX_FALSE_PROBABILITY:
            errors, heard, wrong = match.bit_errors, match.bits_heard, match.false_probability
            return WatermarkRead(asset.watermark_id, scheme.name, errors, heard, wrong, asset, "aligned"), chance
    return None, chance
