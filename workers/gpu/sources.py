"""Sources of a batch: the inputs that its items are made from, fetched, screened and brought to the size to draw.

No lock is held meanwhile. An input that is not there any more, or that a task cannot use, is a fault of the items that
need it and of no other; a store that does not answer is nobody's fault, and the batch is given back. An input is
screened again where another rule set is in use than when it was taken in: what policy refuses reaches no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from policy.images.screen import UNAVAILABLE, ImageScreen
from policy.marks.stamp import EditSource
from policy.rulebook.consent import GivenInput
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage, Verdict, merge
from workers.errors import NotFound, ScreenUnavailable
from workers.gpu.backgrounds import BACKGROUNDS, ProductFinder
from workers.jobs.types import Claim, ClaimedItem, ItemInput, SamplingPosition
from workers.masks.backgrounds import RemovedBackground
from workers.recipes import Recipe
from workers.sampling.given.pictures import GivenPicture, SourceUnusable, pictures_for
from workers.sampling.types import Pictures, Sampled
from workers.states import InputState
from workers.store import ObjectStore

log = structlog.get_logger()
REFUSED = "input_refused"
_GUIDES = ("control_image", "reference_image")  # roles of inputs that a picture is no edit of


@dataclass(frozen=True, slots=True)
class Sources:
    """What the items of a batch are made from, by item id. An item with a fault is not drawn."""

    pictures: Mapping[str, Pictures] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)  # on its inputs, under the rules of now
    edited: Mapping[str, EditSource] = field(default_factory=dict)  # the file that the picture is an edit of
    guides: Mapping[str, tuple[EditSource, ...]] = field(default_factory=dict)  # that the model was shown
    products: Mapping[str, RemovedBackground] = field(default_factory=dict)  # of tasks that change the background


NO_SOURCES = Sources()


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Reads sources for one worker. Any thread; each call has its own pictures in memory."""

    store: ObjectStore
    screen: ImageScreen
    rules: Rules
    products: ProductFinder

    def read(self, held: Claim) -> Sources:
        """Raises StoreUnavailable, and ScreenUnavailable where nobody can say whether a model may see an input."""
        if not any(item.inputs for item in held.items):
            return NO_SOURCES
        found = _Found({}, {}, {})
        pictures: dict[str, Pictures] = {}
        products: dict[str, RemovedBackground] = {}
        faults: dict[str, str] = {}
        verdicts: dict[str, Verdict] = {}
        edited: dict[str, EditSource] = {}
        guides: dict[str, tuple[EditSource, ...]] = {}
        for item in held.items:
            try:
                self._check(held.recipe, item, found, verdicts)
                if held.recipe.task in BACKGROUNDS:
                    product = products[item.id] = self._product(held.recipe, item, found)
                    doubts = Verdict(self.rules.version, product.chosen.check.findings)
                    verdicts[item.id] = merge([verdicts[item.id], doubts])
                else:
                    pictures[item.id] = self._pictures(held.recipe, item, found)
                if parent := next((each for each in item.inputs if each.role == "image"), None):
                    edited[item.id] = self._file(parent, found)
                guides[item.id] = tuple(self._file(each, found) for each in item.inputs if each.role in _GUIDES)
            except SourceUnusable as unusable:
                faults[item.id] = unusable.code
            except NotFound:
                faults[item.id] = "input_missing"
        return Sources(pictures, faults, verdicts, edited, guides, products)

    def _check(self, recipe: Recipe, item: ClaimedItem, found: _Found, verdicts: dict[str, Verdict]) -> None:
        """Records the verdict on what the item is made from. Raises SourceUnusable where it may not be made."""
        for each in item.inputs:
            if each.state not in (InputState.READY, InputState.REFUSED):
                raise SourceUnusable(f"input_{each.state}")
        each_one = [self._verdict(each, item, found) for each in item.inputs]
        given = [
            GivenInput(each.role, each.consent, verdict.scores)
            for each, verdict in zip(item.inputs, each_one, strict=True)
        ]
        context = Context(item.tenant, item.campaign, recipe.model)
        unstated = Verdict(self.rules.version, self.rules.consent.findings(context, recipe.task, given))
        verdicts[item.id] = merge([*each_one, unstated])
        if verdicts[item.id].decision is Decision.REFUSE:
            raise SourceUnusable(REFUSED)

    def _verdict(self, each: ItemInput, item: ClaimedItem, found: _Found) -> Verdict:
        known = each.verdict
        if known is not None and (known.policy_version == self.rules.version or each.state == InputState.REFUSED):
            return known
        if each.input_id not in found.verdicts:
            shown = self._picture(each, found).on_white()
            (fresh,) = self.screen.screen(shown[None], [Context(item.tenant, item.campaign)])
            if any(finding.rule == UNAVAILABLE for finding in fresh.findings):
                raise ScreenUnavailable(f"input {each.input_id} cannot be screened under the rules of now")
            findings = tuple(_of_input(finding) for finding in fresh.findings)
            found.verdicts[each.input_id] = Verdict(fresh.policy_version, findings, fresh.scores)
        return found.verdicts[each.input_id]

    def _pictures(self, recipe: Recipe, item: ClaimedItem, found: _Found) -> Pictures:
        given = {each.role: self._picture(each, found) for each in item.inputs}
        return pictures_for(recipe, given)

    def _product(self, recipe: Recipe, item: ClaimedItem, found: _Found) -> RemovedBackground:
        """Of variants and of several grounds for one picture it is found once."""
        ids = {each.role: each.input_id for each in item.inputs}
        key = ids["image"], ids.get("mask", "")
        if key not in found.products:
            given = {each.role: self._picture(each, found) for each in item.inputs}
            if given["image"].colours.shape != recipe.shape:
                raise SourceUnusable("input_size")
            found.products[key] = self.products.find(given["image"], given.get("mask"))
        return found.products[key]

    def _picture(self, each: ItemInput, found: _Found) -> GivenPicture:
        """Raises NotFound for an object that is gone, or is not what was stored."""
        if each.input_id not in found.pictures:
            if each.key is None:
                raise NotFound(f"input {each.input_id} has no picture")
            data = self.store.get(each.key)
            if hashlib.sha256(data).hexdigest() != each.sha256:
                log.error("input_altered", input_id=each.input_id)
                raise NotFound(f"{each.key} is not what was stored")
            found.pictures[each.input_id] = GivenPicture.read(data)
        return found.pictures[each.input_id]

    def _file(self, each: ItemInput, found: _Found) -> EditSource:
        """With its manifest where it carried one: that is the history of what is made from it."""
        if each.original_key is None:
            return EditSource(self._picture(each, found).data, "image/png", each.input_id)
        return EditSource(self.store.get(each.original_key), each.media_type, each.input_id)


def as_given(held: Claim, sources: Sources) -> Sampled:
    """The pictures that were sent in, as they are: no model draws, and no device is asked."""
    drawn = undrawn(held, sources.faults)
    for n, item in enumerate(held.items):
        if item.id in sources.pictures:
            drawn.images[n] = np.asarray(sources.pictures[item.id]["image"])
    return drawn


def undrawn(held: Claim, faults: Mapping[str, str]) -> Sampled:
    """Nothing: every item of the claim has its fault."""
    positions = tuple(SamplingPosition(0, 0, "") for _ in held.items)
    return Sampled(np.zeros((len(held.items), *held.recipe.shape), np.uint8), dict(faults), positions, 0.0)


def among(held: Claim, sampled: Sampled, faults: Mapping[str, str]) -> Sampled:
    """What was drawn, in the places of its items among all of the claim; the others have their faults."""
    nothing = undrawn(held, faults)
    places = [n for n, item in enumerate(held.items) if item.id not in faults]
    images, positions = nothing.images, list(nothing.positions)
    images[places] = sampled.images
    for n, position in zip(places, sampled.positions, strict=True):
        positions[n] = position
    both = {**sampled.faults, **nothing.faults}
    return replace(sampled, images=images, faults=both, positions=tuple(positions), joules=None)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read for one batch: sixteen variants of a picture read it once."""

    pictures: dict[str, GivenPicture]
    verdicts: dict[str, Verdict]
    products: dict[tuple[str, str], RemovedBackground]  # by image and mask


def _of_input(finding: Finding) -> Finding:
    return Finding(finding.decision, Stage.INPUT, finding.category, finding.rule, finding.score, finding.detail)
