"""Binomial bounds: what a sample without a look at the rest says of it. Pure.

Upper limit of Clopper and Pearson (Biometrika 26, 1934), one-sided: the largest share of bad images under which a
sample with so few bad ones is not rarer than 1 - confidence. It is exact for images drawn with replacement, and on the
safe side for a sample of the campaign itself.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, fsum, lgamma, log, log1p

CONFIDENCE = 0.95
_STEPS = 60  # halvings: more than a double resolves


@lru_cache(maxsize=1024)
def share_at_most(images: int, bad: int, *, confidence: float = CONFIDENCE) -> float:
    """The share of bad images that is not exceeded, with this confidence, where `bad` of `images` looked at are bad.

    Of no image at all, nothing is known: 1.
    """
    if not 0 <= bad <= images:
        raise ValueError(f"{bad} of {images} images cannot be bad")
    if bad == images:
        return 1.0
    low, high = bad / images, 1.0
    for _ in range(_STEPS):
        share = (low + high) / 2
        if at_most(images, bad, share) > 1 - confidence:
            low = share
        else:
            high = share
    return high


def at_most(images: int, bad: int, share: float) -> float:
    """The probability of at most `bad` bad ones among so many images, of which this share is bad, 0 < share < 1."""
    return fsum(
        exp(lgamma(images + 1) - lgamma(k + 1) - lgamma(images - k + 1) + k * log(share) + (images - k) * log1p(-share))
        for k in range(bad + 1)
    )


def statement(images: int, bad: int) -> str:
    """What it proves that `bad` of `images` were rejected, in a sentence."""
    share = share_at_most(images, bad)
    return f"At most {share:.1%} of the images are bad, with {CONFIDENCE:.0%} confidence.".replace("%", " %")
