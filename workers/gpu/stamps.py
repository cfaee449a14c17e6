"""Stamp of a picture: what its public marks will say, with an asset id and a watermark id of its own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from policy.marks.stamp import AddedNetwork, EditSource, Stamp
from workers.jobs.types import Claim, ClaimedItem, new_id
from workers.recipes import Recipe


def stamp_of(
    held: Claim, item: ClaimedItem, policy_version: str, ledger_origin: str, *, guides: Sequence[EditSource] = ()
) -> Stamp:
    """A new stamp each time: an attempt that is repeated makes another asset."""
    return Stamp(
        asset_id=new_id(),
        watermark_id=secrets.randbits(48),
        model=held.recipe.model,
        model_revision=held.recipe.model_revision,
        origin=item.stated,
        policy_version=policy_version,
        made_at=datetime.now(UTC),
        ledger_origin=ledger_origin,
        published_prompt=item.prompt if item.publish_prompt else "",
        parts=_parts(held.recipe),
        guides=tuple(guides),
    )


def _parts(recipe: Recipe) -> tuple[AddedNetwork, ...]:
    """What else had a hand in the pictures of this recipe, for their public marks."""
    loras = tuple(AddedNetwork("lora", lora.name, lora.revision, lora.scale) for lora in recipe.loras)
    beside = (("reference", recipe.reference, "scale"), ("upscaler", recipe.upscaler, "factor"))
    added = (AddedNetwork(role, one.name, one.revision, getattr(one, how)) for role, one, how in beside if one)
    return (*loras, *added)
