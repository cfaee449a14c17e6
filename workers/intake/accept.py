"""Acceptance of one input: fetched or read, decoded in a limited process, screened, its marks read, stored.

    claim -> bytes -> decode -> screen -> marks -> put -> settle with its event -> delete the upload

Killed before `settle`: the lease runs out, another claim begins anew, twice at most; what was put lies under a key with
its attempt that no row names, and is deleted with the input's own objects. Killed after it: the upload is left, and the
sweep of the identify process deletes what nothing waits for. A store, a database or a screen that does not answer is
never the picture's fault: the claim is given back and does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from policy.errors import PictureRefused
from policy.images.screen import UNAVAILABLE, ImageScreen
from policy.intake.picture import Picture, check_input, open_picture
from policy.marks.inspect import marks_of
from policy.marks.provenance.manifest import ManifestReader
from policy.rulebook.scope import Context
from policy.verdict import Decision, Finding, Stage, Verdict
from workers import metrics
from workers.crash import Probe
from workers.errors import NotFound, ScreenUnavailable, StoreUnavailable
from workers.intake import sanitise
from workers.jobs.inputs import intake, sources
from workers.jobs.inputs.intake import ClaimedInput, LookedAt, StoredInput
from workers.outbound.objects import fetch_from
from workers.outbound.places import SourceAccess
from workers.settings import Settings
from workers.store import ObjectStore, input_key

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IntakeContext:
    """What looks at inputs. Owned by one thread."""

    engine: Engine
    store: ObjectStore
    screen: Callable[[], ImageScreen]  # loaded when it is first asked for
    manifests: ManifestReader
    settings: Settings
    probe: Probe


def accept_next(context: IntakeContext) -> bool:
    """Claim one input and settle it; False when none waits. Raises what `Loop` calls an outage."""
    with context.engine.begin() as conn:
        metrics.OPEN_INPUTS.set(intake.open_inputs(conn))
        claimed = intake.claim(conn, timedelta(seconds=context.settings.identify_lease_seconds))
    if claimed is None:
        return False
    context.probe("input_claimed", None)
    try:
        with metrics.INTAKE_SECONDS.time():
            outcome = _accept(context, claimed)
    except PictureRefused as refused:
        outcome = "failed"
        with context.engine.begin() as conn:
            intake.fail(conn, claimed, str(refused.code), str(refused))
    except NotFound:
        outcome = "failed"
        with context.engine.begin() as conn:
            intake.fail(conn, claimed, "upload_missing", "the upload is not there any more; send it again")
    except (StoreUnavailable, ScreenUnavailable, SQLAlchemyError):
        with context.engine.begin() as conn:
            intake.give_back(conn, claimed)
        raise
    metrics.INPUTS.labels(outcome).inc()
    context.probe("input_settled", None)
    if claimed.object:
        context.store.delete(claimed.object)
    return True


def _accept(context: IntakeContext, claimed: ClaimedInput) -> str:
    data = _sent(context, claimed)
    check_input(data)
    picture = open_picture(data, keep_alpha=True)
    sanitise.check_input(picture, context.settings)
    verdict = _screened(context, claimed, picture)
    marks = marks_of(picture, data, context.manifests).to_json()
    found = LookedAt(
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        transparent=picture.alpha is not None,
        sent_sha256=hashlib.sha256(data).hexdigest(),
        sent_bytes=len(data),
        marks={name: marks[name] for name in ("manifest", "watermark", "xmp")},
        verdict=verdict,
    )
    if verdict.decision is Decision.REFUSE:
        with context.engine.begin() as conn:
            intake.refuse(conn, claimed, found)
        return "refused"
    stored = _store(context, claimed, picture, data, keep=found.marks["manifest"] is not None)
    context.probe("input_stored", None)
    with context.engine.begin() as conn:
        accepted = intake.accept(conn, claimed, found, stored)
    if not accepted:  # erased while it was looked at, or another attempt has it
        for key in filter(None, (stored.key, stored.original_key)):
            context.store.delete(key)
    return "ready"


def _sent(context: IntakeContext, claimed: ClaimedInput) -> bytes:
    """The bytes as they were sent. Raises PictureRefused for an address that gives none, and NotFound."""
    if claimed.object is None:
        settings = context.settings
        got = fetch_from(
            claimed.address,
            partial(_source, context, claimed.tenant),
            seconds=settings.input_fetch_seconds,
            most_bytes=settings.input_max_bytes,
            loopback=settings.webhook_loopback,
        )
        if got.error:
            raise PictureRefused(f"fetch_{got.error}", "the address gave no picture")
        return got.body
    data = context.store.get(claimed.object)
    if hashlib.sha256(data).hexdigest() != claimed.sent_sha256:
        raise NotFound(f"the upload of {claimed.id} is not what was sent")
    return data


def _source(context: IntakeContext, tenant: str, bucket: str) -> SourceAccess | None:
    with context.engine.begin() as conn:
        return sources.access(conn, tenant, bucket)


def _screened(context: IntakeContext, claimed: ClaimedInput, picture: Picture) -> Verdict:
    """The verdict on what is seen of it. Raises ScreenUnavailable: an input that nobody screened reaches no model."""
    shown = sanitise.flattened(picture)
    (verdict,) = context.screen().screen(shown[None], [Context(claimed.tenant)])
    for finding in verdict.findings:
        if finding.rule == UNAVAILABLE:
            log.warning("input_not_screened", input_id=claimed.id, reason=finding.detail)
            raise ScreenUnavailable(finding.detail)
    return Verdict(verdict.policy_version, tuple(map(_of_input, verdict.findings)), verdict.scores)


def _of_input(finding: Finding) -> Finding:
    return Finding(finding.decision, Stage.INPUT, finding.category, finding.rule, finding.score, finding.detail)


def _store(context: IntakeContext, claimed: ClaimedInput, picture: Picture, data: bytes, *, keep: bool) -> StoredInput:
    """The sanitised picture; beside it the file as it was sent, only where its manifest is the history of an edit."""
    key = input_key(claimed.tenant, claimed.id, claimed.attempt, "picture", "image/png")
    sha256 = context.store.put(key, sanitise.encoded(picture), "image/png")
    if not keep:
        return StoredInput(key, sha256, None)
    original = input_key(claimed.tenant, claimed.id, claimed.attempt, "original", picture.media_type)
    context.store.put(original, data, picture.media_type)
    return StoredInput(key, sha256, original)
