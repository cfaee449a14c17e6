"""Loop of `python -m workers identify`: answers whose picture this is, indexes what is released, takes inputs in.

A question is a row (workers/jobs/identification/questions.py) and an upload under inbox/. The table is the queue: a
claim is a conditional update with a lease, so nothing waits in Redis and no message can be lost. A round answers every
question that waits and looks at every input that waits, in turns, then indexes a few new pictures. Any number of
processes may run; each holds an index of its own.

    claim -> read the upload -> identify -> settle with its event -> delete the upload

Killed before `settle`: the lease runs out, another claim asks again, twice at most. Killed after it: the upload is
left, and `sweep` deletes what no open question needs. A picture that kills the process is answered `gave_up`. What
may be sent at all is decided in policy/intake; pixels are bounded before anything here sees them.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import cv2
import numpy as np
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from policy.errors import PictureRefused, RulesNotApproved
from policy.identify.search import identify
from policy.images.screen import ImageScreen
from policy.marks.provenance.manifest import ManifestReader
from policy.rules import Rules
from workers import metrics
from workers.crash import Probe, killer
from workers.database import make_engine, transact
from workers.errors import NotFound, StoreUnavailable
from workers.identification.indexing import index_some
from workers.identification.released import ReleasedIndex
from workers.intake.accept import IntakeContext, accept_next
from workers.jobs.identification import questions
from workers.jobs.identification.questions import Question
from workers.jobs.inputs import intake as inputs
from workers.jobs.rulesets.approvals import demand_approved
from workers.loop import Every, Loop, Wakeup
from workers.settings import Settings
from workers.states import QUESTION_CHANNEL
from workers.store import INBOX, ObjectStore

log = structlog.get_logger()
_SWEEP_SECONDS = 60.0
_ORPHANED = timedelta(hours=1)  # an upload without a question is younger while its request is under way
# What the libraries raise for pixels they cannot work with: answered, and the process goes on.
_UNANSWERABLE = (cv2.error, ValueError, ArithmeticError, np.linalg.LinAlgError, MemoryError)


@dataclass(frozen=True, slots=True)
class IdentifyContext:
    """One process's tools. Owned by one thread."""

    engine: Engine
    store: ObjectStore
    released: ReleasedIndex
    manifests: ManifestReader
    settings: Settings
    probe: Probe
    intake: IntakeContext


def serve(settings: Settings, stop: threading.Event) -> None:
    """Run the identify process until `stop`."""
    context = make_context(settings)
    try:
        context.intake.screen()  # a process that cannot screen does not start
    except RulesNotApproved as error:
        log.error("rules_not_approved", error=str(error))
        raise SystemExit(str(error)) from error
    swept = Every(_SWEEP_SECONDS, lambda: sweep(context))

    def run_round() -> bool:
        done = run_once(context, stop)
        swept()
        return done > 0

    wakeup = Wakeup(settings, QUESTION_CHANNEL)  # a caller waits for the answer

    def close() -> None:
        wakeup.close()
        context.engine.dispose()

    loop = Loop(
        "identify",
        run_round,
        pause_seconds=settings.poll_seconds,
        wait=wakeup.wait,
        rest_seconds=settings.rest_seconds,
        idle=lambda: True,
        close=close,
    )
    loop.run(stop)


def make_context(settings: Settings) -> IdentifyContext:
    """The process's real parts. Without trust anchors no manifest is trusted, so it does not start without."""
    if not settings.trust_anchors:
        raise SystemExit("the identify process needs PRESSWORK_TRUST_ANCHORS; `presswork up` makes a development chain")
    engine = make_engine(settings.database_url.get_secret_value(), name="identify", pool_size=2)
    store = ObjectStore(settings)
    manifests = ManifestReader(settings.trust_anchors.read_text())
    probe = killer(settings.crash_point)
    screen = cache(lambda: _screen(settings, engine))
    intake = IntakeContext(engine, store, screen, manifests, settings, probe)
    return IdentifyContext(engine, store, ReleasedIndex(engine, store), manifests, settings, probe, intake)


def _screen(settings: Settings, engine: Engine) -> ImageScreen:
    """What inputs are screened with: rules that enough people approved. Raises RulesNotApproved."""
    rules = Rules.load(settings.policy_rules)
    needed = settings.rules_approvals
    transact(engine, lambda conn: demand_approved(conn, rules.version, needed), patience_seconds=60.0)
    return ImageScreen.load(rules)


def run_once(context: IdentifyContext, stop: threading.Event) -> int:
    """Everything that waits, once; how much was done."""
    done = index_some(context.engine, context.store)
    context.released.refresh()
    metrics.INDEX_ENTRIES.set(len(context.released.index))
    while not stop.is_set():
        did = answer_next(context) + accept_next(context.intake)
        if not did:
            break
        done += did
    return done


def answer_next(context: IdentifyContext) -> bool:
    """Claim one question and answer it; False when none waits."""
    with context.engine.begin() as conn:
        metrics.OPEN_IDENTIFICATIONS.set(questions.open_questions(conn))
        question = questions.claim(conn, timedelta(seconds=context.settings.identify_lease_seconds))
    if question is None:
        return False
    context.probe("questioned", None)
    try:
        data = _upload(context, question)
        with metrics.IDENTIFY_SECONDS.time():
            answer = identify(data, context.released.index, context.released, context.manifests)
    except PictureRefused as refused:
        _failed(context, question, refused.code)
    except NotFound:
        _failed(context, question, "upload_missing")
    except _UNANSWERABLE as error:
        log.error("identification_unanswerable", identification_id=question.id, error=type(error).__name__)
        _failed(context, question, "unanswerable")
    except (StoreUnavailable, SQLAlchemyError):
        with context.engine.begin() as conn:
            questions.give_back(conn, question)
        raise
    else:
        reply = answer.for_tenant(question.tenant)
        own = answer.asset.asset_id if answer.asset and answer.asset.tenant == question.tenant else None
        with context.engine.begin() as conn:
            questions.settle(conn, question, reply, own)
        metrics.IDENTIFICATIONS.labels(answer.finding.value).inc()
    context.probe("answered", None)
    context.store.delete(question.object)
    return True


def sweep(context: IdentifyContext) -> int:
    """Forget old answers, and delete uploads that no question needs; how many of those."""
    keys = [stored.key for stored in context.store.list(f"{INBOX}/")]
    with context.engine.begin() as conn:
        needed = inputs.needed(conn, keys)
        orphans = [key for key in questions.unneeded(conn, keys, _ORPHANED) if key not in needed]
    for key in orphans:
        context.store.delete(key)
    with context.engine.begin() as conn:  # last: a settled row is what says that its upload may go
        questions.expire(conn, timedelta(seconds=context.settings.identify_keep_seconds))
    return len(orphans)


def _upload(context: IdentifyContext, question: Question) -> bytes:
    data = context.store.get(question.object)
    if hashlib.sha256(data).hexdigest() != question.sha256:
        raise NotFound(f"the upload of {question.id} is not what was sent")
    return data


def _failed(context: IdentifyContext, question: Question, reason: str) -> None:
    with context.engine.begin() as conn:
        questions.fail(conn, question, reason)
    metrics.IDENTIFICATIONS.labels("failed").inc()
