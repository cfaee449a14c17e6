"""Finishing of an image after the device: screen -> mark -> encode -> sign -> read back -> put.

Nothing leaves from here without an allow verdict on the picture itself, marks that read back from the final
bytes, and a digest that the store verified. What a person must see first is marked and signed all the
same and put in quarantine, so that a later release (workers/clerk/releases.py) is of these very bytes.
A screen that cannot run holds the item; a missing signing key waits; marks that do not hold send the
image to quarantine unmarked. Killed anywhere: the objects of this attempt are referred to by nothing,
and `discard` or the next attempt removes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import structlog

from policy.errors import MarkError, PolicyError, SigningUnavailable
from policy.images.screen import ImageScreen, pixels_digest
from policy.marks.cutouts.marker import CutoutMarker
from policy.marks.locks.product_lock import ProductLock
from policy.marks.marker import Marked, Stamp, evidence
from policy.marks.renditions import THUMBNAIL
from policy.marks.stamp import EditSource
from policy.marks.writers import PreparedMark
from policy.prompts.meaning.screen import MeaningScreen
from policy.prompts.screen import screen_prompt, screen_reading
from policy.prompts.weights import plain_text
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision, Finding, Stage, Verdict, merge
from workers import metrics
from workers.crash import Probe
from workers.errors import DigestMismatch
from workers.gpu.backgrounds import mask_file
from workers.gpu.drawings import kept_drawing, png
from workers.gpu.leases import Lease
from workers.gpu.regeneration import ScreenedBatch, regenerate
from workers.gpu.sources import NO_SOURCES, REFUSED, Sources
from workers.gpu.stamps import stamp_of
from workers.gpu.writing import compared
from workers.jobs.types import (
    Claim,
    ClaimedItem,
    Failed,
    Finished,
    Held,
    KeptDrawing,
    Outcome,
    Refused,
    Released,
    SamplingPosition,
    StoredRendition,
)
from workers.masks.backgrounds import RemovedBackground
from workers.sampling.families.family import REMOVE_BACKGROUND
from workers.sampling.types import CANCELLED, Sampled
from workers.store import DRAWINGS, QUARANTINE, RELEASED, ObjectStore, quarantine_key, released_key
from workers.thumbnails.picture import MEDIA_TYPE, quickest, thumbnail

log = structlog.get_logger()
_KeyMaker = Callable[[str, str, int, str, str], str]  # tenant, item, attempt, rendition, media type
UNMARKED = "unmarked"  # name of what a reviewer sees of a picture whose marks failed


class _Drawn(NamedTuple):
    """One image as it came off, what will be said of it, and what writes its watermark."""

    image: np.ndarray
    position: SamplingPosition
    stamp: Stamp
    write: PreparedMark
    source: EditSource | None  # the file that it is an edit of
    product: RemovedBackground | None  # whose background was removed or replaced
    record: Mapping[str, Any] | None  # of that, for provenance
    lock: ProductLock | None  # of the product that was put on a new ground


@dataclass(frozen=True, slots=True)
class Finisher:
    """Turns sampled pixels into outcomes. CPU only, thread-safe; run it without the GPU lock."""

    rules: Rules
    screen: ImageScreen
    meaning: MeaningScreen
    marker: CutoutMarker
    store: ObjectStore
    ledger_origin: str
    probe: Probe
    keep_drawings: bool = False  # for later files of the same pictures
    thumbnails: bool = False  # for lists, beside the files

    def finish(
        self,
        held: Claim,
        sampled: Sampled,
        lease: Lease,
        sample: Callable[[Claim], Sampled] | None = None,
        *,
        finished: Callable[[Outcome], object] = lambda _outcome: None,
        sources: Sources = NO_SOURCES,
    ) -> list[Outcome]:
        """One outcome for every member that is still wanted, in item order; `finished` is told each at once.

        `sample` is asked again for what the rules want regenerated. Raises LeaseLost as soon as it is known,
        StoreUnavailable and SigningUnavailable when waiting may help: the caller gives back what is not finished.
        """
        screened = ScreenedBatch(held, sampled, tuple(self._verdicts(held, sampled, sources)))
        if sample is not None:
            screened = self._regenerated(screened, lease, sample, sources)
        held, sampled, verdicts = screened.held, screened.sampled, screened.verdicts
        stamps = [
            stamp_of(held, item, self.rules.version, self.ledger_origin, guides=sources.guides.get(item.id, ()))
            for item in held.items
        ]
        writes = self.marker.prepare(sampled.images, [stamp.watermark_id for stamp in stamps])
        outcomes: list[Outcome] = []
        for n, item in enumerate(held.items):
            lease.check_held()
            fault = sampled.faults.get(item.id)
            if fault == CANCELLED or item.id in lease.cancelled:
                continue  # no outcome: its row is CANCELLED already
            outcome: Outcome
            if fault == REFUSED:
                outcome = Refused(item, sources.verdicts[item.id])
            elif fault:
                outcome = Failed(item, fault)
            else:
                source = sources.edited.get(item.id)
                product = sources.products.get(item.id) or sampled.products.get(item.id)
                of = (sampled.images[n], sampled.positions[n], stamps[n], writes[n], source, product)
                drawn = _Drawn(*of, sampled.records.get(item.id), sampled.locks.get(item.id))
                outcome = self._finish_one(held, item, drawn, verdicts[n])
            outcomes.append(outcome)
            finished(outcome)
            self.probe("finishing", held)
        return outcomes

    def _regenerated(
        self, screened: ScreenedBatch, lease: Lease, sample: Callable[[Claim], Sampled], sources: Sources
    ) -> ScreenedBatch:
        def again(some: Claim) -> ScreenedBatch:
            sampled = sample(some)
            return ScreenedBatch(some, sampled, tuple(self._verdicts(some, sampled, sources)))

        return regenerate(screened, self.rules.bundled.regeneration, lambda: lease.cancelled, again)

    def discard(self, held: Claim, item_ids: Collection[str], *, before: int | None = None) -> None:
        """Delete what this attempt stored for these items, or with `before`, what earlier attempts left."""
        if before == 1 or not item_ids:
            return
        tenants = {item.id: item.tenant for item in held.items}
        for item_id in item_ids:
            for prefix in (RELEASED, QUARANTINE, DRAWINGS):
                folder = f"{prefix}/{tenants[item_id]}/{item_id}/"
                for stored in self.store.list(folder):
                    attempt = int(stored.key.removeprefix(folder).partition("/")[0].partition(".")[0])
                    if attempt == held.attempt if before is None else attempt < before:
                        self.store.delete(stored.key)

    def _verdicts(self, held: Claim, sampled: Sampled, sources: Sources) -> list[Verdict]:
        """Prompt, sources and picture together, under the rules of now: the API's early look may be older.

        A small change of a forbidden picture is forbidden: what was found on a source is found on what is made from it.
        """
        contexts = [Context(item.tenant, item.campaign, held.recipe.model) for item in held.items]
        with metrics.FINISHING_SECONDS.labels("meaning").time():
            meanings = self.meaning.screen(
                [
                    (plain_text(item.prompt, held.recipe.prompt_syntax), context)
                    for item, context in zip(held.items, contexts, strict=True)
                ]
            )
        with metrics.FINISHING_SECONDS.labels("screen").time():
            try:
                pictures = self.screen.screen(sampled.images, contexts)
            except PolicyError as error:
                log.warning("screen_unavailable", batch_id=held.batch_id, error=str(error))
                pictures = [self._hold(Stage.IMAGE, "screening", "classifier_unavailable") for _ in held.items]
        return [
            merge(
                [
                    Verdict(self.rules.version, (*item.rewrites, *self.rules.label.findings(context, item.unlabelled))),
                    *self._texts(held, item),
                    meaning,
                    *([sources.verdicts[item.id]] if item.id in sources.verdicts else []),
                    Verdict(self.rules.version, sampled.doubts(item.id)),
                    picture,
                ]
            )
            for item, context, meaning, picture in zip(held.items, contexts, meanings, pictures, strict=True)
        ]

    def _texts(self, held: Claim, item: ClaimedItem) -> Iterator[Verdict]:
        """On both texts as they were sent, and on the words that the model read of them."""
        named = {"tenant": item.tenant, "campaign": item.campaign, "model": held.recipe.model}
        for field, text in (("prompt", item.prompt), ("negative_prompt", item.negative_prompt)):
            verdict = screen_prompt(self.rules, text, field=field, **named)
            words = plain_text(text, held.recipe.prompt_syntax)
            if words != text:
                verdict = screen_reading(self.rules, words, verdict, field=field, **named)
            yield verdict

    def _hold(self, stage: Stage, category: str, rule: str, detail: str = "") -> Verdict:
        return Verdict(self.rules.version, (Finding(Decision.HOLD, stage, category, rule, detail=detail),))

    def _finish_one(self, held: Claim, item: ClaimedItem, drawn: _Drawn, verdict: Verdict) -> Outcome:
        metrics.VERDICTS.labels(verdict.decision).inc()
        if verdict.decision is Decision.REFUSE:
            return Refused(item, verdict)
        stamp, record, lock = drawn.stamp, drawn.record, drawn.lock
        if verdict.allowed and verdict.pixels != pixels_digest(drawn.image):  # fail closed
            other = self._hold(Stage.IMAGE, "screening", "not_the_picture_that_was_screened")
            return self._hold_unmarked(held, item, drawn.image, merge([verdict, other]))
        try:
            with metrics.FINISHING_SECONDS.labels("mark").time():
                files = self._files(held, item, drawn)
            if lock is not None:
                writing = compared(self.screen.texts, drawn.image, files[0], lock)
                record = {**(record or {}), **writing.record}
                verdict = merge([verdict, Verdict(self.rules.version, writing.findings)])
            small, thumbhash = self._small(files)
            beside = (*((mask_file(drawn.product.mask),) if drawn.product else ()), *small)
            stored = tuple(self._put(_key_maker(verdict), held, item, file) for file in (*files, *beside))
        except SigningUnavailable:
            raise
        except (MarkError, DigestMismatch) as error:  # these bytes must not leave; the rest of the batch may
            metrics.MARK_FAILURES.labels(type(error).__name__).inc()
            unmarked = self._hold(Stage.MARK, "marks", type(error).__name__, str(error))
            return self._hold_unmarked(held, item, drawn.image, merge([verdict, unmarked]))
        picture = (stamp.asset_id, stamp.watermark_id, drawn.position, evidence(files), stored)
        kept = self._kept(held, item, drawn)
        if verdict.decision is Decision.HOLD:
            finished = Finished(*picture, product=record, kept=kept, thumbhash=thumbhash)
            return Held(item, verdict, stored[0].key, stored[0].sha256, finished)
        return Released(*picture, item=item, verdict=verdict, product=record, kept=kept, thumbhash=thumbhash)

    def _kept(self, held: Claim, item: ClaimedItem, drawn: _Drawn) -> KeptDrawing | None:
        if not self.keep_drawings:
            return None
        with metrics.FINISHING_SECONDS.labels("put").time():
            return kept_drawing(
                self.store, held, item, drawn.image, drawn.position, product=drawn.record, lock=drawn.lock
            )

    def _small(self, files: Sequence[Marked]) -> tuple[tuple[Marked, ...], str | None]:
        """The thumbnail of the finished files and its ThumbHash; nothing where none is wanted."""
        by_type = {file.media_type: file for file in reversed(files)}
        wanted = quickest(by_type) if self.thumbnails else None
        if wanted is None:
            return (), None
        made = thumbnail(by_type[wanted].data)
        digest = hashlib.sha256(made.data).hexdigest()
        return (Marked(THUMBNAIL, made.data, MEDIA_TYPE, made.width, made.height, digest, {}),), made.hash

    def _files(self, held: Claim, item: ClaimedItem, drawn: _Drawn) -> tuple[Marked, ...]:
        """What the request asked for, marked; a cut-out keeps its transparency where the format has any."""
        if (held.recipe.task == REMOVE_BACKGROUND or held.recipe.background) and drawn.product:
            cut = drawn.product.cutout
            return self.marker.mark_cutout(
                cut.colours,
                cut.alpha,
                drawn.stamp,
                item.renditions,
                source=drawn.source,
                channels=item.channels,
                label_language=item.label_language,
                unmarked=self.rules.unmarked_cutouts,
            )
        return self.marker.mark_all(
            drawn.image,
            drawn.stamp,
            item.renditions,
            source=drawn.source,
            write=drawn.write,
            channels=item.channels,
            label_language=item.label_language,
            lock=drawn.lock and replace(drawn.lock, unmarked=self.rules.unmarked_locks),
        )

    def _put(self, key_of: _KeyMaker, held: Claim, item: ClaimedItem, marked: Marked) -> StoredRendition:
        key = key_of(item.tenant, item.id, held.attempt, marked.name, marked.media_type)
        with metrics.FINISHING_SECONDS.labels("put").time():
            sha256 = self.store.put(key, marked.data, marked.media_type, expect_sha256=marked.sha256)
        size = (marked.width, marked.height, len(marked.data))
        return StoredRendition(marked.name, key, marked.media_type, *size, sha256)

    def _hold_unmarked(self, held: Claim, item: ClaimedItem, image: np.ndarray, verdict: Verdict) -> Held:
        key = quarantine_key(item.tenant, item.id, held.attempt, UNMARKED, "image/png")
        with metrics.FINISHING_SECONDS.labels("put").time():
            sha256 = self.store.put(key, png(image), "image/png")
        return Held(item, verdict, key, sha256)


def _key_maker(verdict: Verdict) -> _KeyMaker:
    """Where a marked picture is put: released/, or quarantine/ for a reviewer. The release put of finishing."""
    return released_key if verdict.allowed else quarantine_key
