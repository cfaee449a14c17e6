"""Recalls, carried out: the record says so first, then the objects move to where no link leads.

    withdraw   one transaction: a few hundred assets and items RELEASED -> RECALLED, their events and messages
    move       each object: copy to recalled/, read the copy back, delete the original; then one row says so
    finish     the order ends, with its event

Killed after `withdraw`: every look-up says recalled, and the next round moves. Killed between copy and delete: the
copy is found equal, the original is deleted. Killed between delete and its row: the original is gone, the copy is
there, the row is written. Any number of clerks may do the same at once. A presigned link that is still good dies
with its object; an object is never deleted before its copy was read back.
"""

from __future__ import annotations

import hashlib

import structlog

from workers import metrics
from workers.clerk.context import ClerkContext
from workers.errors import DigestMismatch, NotFound
from workers.jobs.recall import orders
from workers.store import RELEASED, ObjectStore

log = structlog.get_logger()
RECALLED = "recalled"  # prefix of its own in the bucket: the clerk alone writes it, and no link to it is signed
_STEP = 200  # assets of one transaction, and of one round of moves


def run_once(context: ClerkContext) -> int:
    """One step of each kind; how many assets were withdrawn or moved."""
    with context.engine.begin() as conn:
        metrics.OLDEST_OPEN_RECALL_SECONDS.set(orders.oldest_open_seconds(conn))
        withdrawn = orders.withdraw(conn, _STEP)
    if withdrawn:
        context.probe("withdrawn", None)
    with context.engine.begin() as conn:
        members = orders.to_move(conn, _STEP)
    for member in members:
        lost = [key for key, media_type, digest in member.files if not _move(context, key, media_type, digest)]
        context.probe("moved", None)
        with context.engine.begin() as conn:
            orders.moved(conn, member.asset_id, missing=bool(lost))
        for key in lost:
            log.error("recalled_object_missing", asset_id=member.asset_id, recall_id=member.recall_id, key=key)
    with context.engine.begin() as conn:
        finished = orders.finish(conn)
    return withdrawn + len(members) + finished


def recalled_key(key: str) -> str:
    """Where an object goes: the same path in another place."""
    return RECALLED + key.removeprefix(RELEASED)


def _move(context: ClerkContext, key: str, media_type: str, sha256: str) -> bool:
    """The object lies in recalled/ and nowhere else; False if it lay in neither place."""
    store, target = context.store, recalled_key(key)
    try:
        content = store.get(key)
    except NotFound:
        return _is_there(store, target)
    if hashlib.sha256(content).hexdigest() != sha256:
        log.error("recalled_object_altered", key=key)  # kept as it is: what was reachable is evidence
    try:
        store.put(target, content, media_type)
    except DigestMismatch:  # two clerks never cause this: another identity wrote under the clerk's prefix
        log.error("recalled_key_taken", key=target)
    context.probe("removing", None)
    store.delete(key)
    return True


def _is_there(store: ObjectStore, key: str) -> bool:
    try:
        store.get(key)
    except NotFound:
        return False
    return True
