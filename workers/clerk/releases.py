"""Releases after a review: a released picture leaves quarantine for released/, a refused one is deleted.

The only other caller of the release put beside workers/gpu/finish.py, and only for the very bytes that were
screened, marked, signed and reviewed: read from quarantine, compared digest by digest, put once under the
key that a release at once would have had. Killed before the put or between put and commit: the next round
puts the same bytes again, which is no change. Killed after the commit: the next round empties quarantine.
Bytes that are gone or others than those reviewed are never released: the item fails, and what lies there stays.
A refused picture under a legal hold stays in quarantine, until the hold is lifted and its retention period is over.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from workers import metrics
from workers.clerk.context import ClerkContext
from workers.database import transact
from workers.errors import DigestMismatch, NotFound, StoreUnavailable, WorkerError
from workers.jobs.drawings.drawings import RECALLED
from workers.jobs.outcomes import demand_sealable
from workers.jobs.privacy import legal_holds
from workers.jobs.privacy.drawings import forget
from workers.jobs.review import carry_out
from workers.jobs.review.carry_out import ReviewedPicture
from workers.jobs.types import StoredRendition
from workers.store import released_key

log = structlog.get_logger()
_PAGE = 50  # orders of one round, so that the other duties have theirs
GONE, CHANGED = "quarantine_gone", "quarantine_changed"  # reasons of a failed item


def run_once(context: ClerkContext) -> int:
    """The next reviews, one transaction each; how many were carried out.

    One that fails stops no other; the first error is raised at the end. An absent store ends the round at once.
    """
    with context.engine.begin() as conn:
        waiting = carry_out.waiting(conn)
        item_ids = carry_out.ordered(conn, limit=_PAGE)
    metrics.OPEN_HOLDS.set(waiting.holds)
    metrics.OLDEST_HOLD_SECONDS.set(waiting.oldest_seconds)
    done, failures = 0, list[Exception]()
    for item_id in item_ids:
        try:
            done += _carry_out(context, item_id)
        except StoreUnavailable:
            raise
        except (SQLAlchemyError, WorkerError) as error:
            log.warning("review_not_carried_out", item_id=item_id, error=type(error).__name__)
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def _carry_out(context: ClerkContext, item_id: str) -> bool:
    """Whether this round finished it. The hold stays locked from the read to the commit."""
    with context.engine.begin() as conn:
        order = carry_out.take(conn, item_id)
        if order is None:
            return False
        if order.releasing is not None:
            demand_sealable(conn)  # before the copy: a refused order would be copied again each round
            if carry_out.shows_recalled(conn, item_id):
                carry_out.fail(conn, order.releasing, RECALLED)
                return True
            try:
                stored = _put_all(context, order.releasing)
            except (NotFound, DigestMismatch) as error:
                reason = GONE if isinstance(error, NotFound) else CHANGED
                log.error("reviewed_bytes_lost", item_id=item_id, reason=reason, error=str(error))
                carry_out.fail(conn, order.releasing, reason)
                return True
            context.probe("copied", None)
            carry_out.release(conn, order.releasing, stored)
    context.probe("reviewed", None)
    with context.engine.begin() as conn:  # until it ends, no legal hold is placed on what is being deleted
        if order.releasing is not None or legal_holds.is_free(conn, item_id):
            drawn = () if order.releasing else forget(conn, item_id)
            for key in (*order.keys, *drawn):
                context.store.delete(key)
    transact(context.engine, lambda conn: carry_out.carried_out(conn, item_id))
    return True


def _put_all(context: ClerkContext, order: ReviewedPicture) -> list[StoredRendition]:
    """Every rendition out of quarantine, or none. Raises NotFound and DigestMismatch: these bytes must not leave."""
    contents = [_reviewed_bytes(context, kept) for kept in order.picture.renditions]
    item, stored = order.picture.item, []
    for kept, content in zip(order.picture.renditions, contents, strict=True):
        key = released_key(item.tenant, item.id, order.attempt.attempt, kept.name, kept.media_type)
        context.store.put(key, content, kept.media_type, expect_sha256=kept.sha256)
        stored.append(replace(kept, key=key))
    return stored


def _reviewed_bytes(context: ClerkContext, kept: StoredRendition) -> bytes:
    content = context.store.get(kept.key)
    if (found := hashlib.sha256(content).hexdigest()) != kept.sha256:
        raise DigestMismatch(f"{kept.key} holds {found}, held and reviewed was {kept.sha256}")
    return content
