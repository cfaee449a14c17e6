"""Painter, a worker of one tenant in a thread: settles what is pending with stored objects; it draws nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from policy.marks.renditions import RENDITIONS
from tests.support.line import LEASE, Line, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.tables import items
from workers.jobs.types import Claim, ClaimedItem, Outcome, StoredRendition
from workers.states import ItemState

if TYPE_CHECKING:
    from tests.conftest import S3

Decide = Callable[[Claim, ClaimedItem], Outcome]


def file_of(item_id: str, name: str) -> bytes:
    """What the painter stores as a file of an image."""
    return f"{name} of {item_id}".encode()


@contextmanager
def painting(
    line: Line, s3: S3, tenant: str, decide: Decide | None = None, *, most: int | None = None
) -> Iterator[None]:
    """Until the block ends, pending items of the tenant are settled, `most` of them: released, or as `decide` says."""
    stop = threading.Event()
    painter = threading.Thread(target=_paint, args=(line, tenant, decide or releasing(s3), stop, most), daemon=True)
    painter.start()
    try:
        yield
    finally:
        stop.set()
        painter.join()


def _paint(line: Line, tenant: str, decide: Decide, stop: threading.Event, most: int | None) -> None:
    pending = select(items.c.id, items.c.recipe_id).where(items.c.tenant == tenant, items.c.state == ItemState.PENDING)
    left = most
    while not stop.wait(0.02) and left != 0:
        with line.worker.begin() as conn:
            waiting = conn.execute(pending.order_by(items.c.id)).all()
            same = [row.id for row in waiting if row.recipe_id == waiting[0].recipe_id][
                : 8 if left is None else min(8, left)
            ]
            batch = dispatch(conn, "gpu", waiting[0].recipe_id, same, lease=LEASE, claims_allowed=2) if same else None
            held = claim(conn, batch, LEASE, "painter") if batch else None
        if held is not None:
            with line.worker.begin() as conn:
                settle(conn, held, [decide(held, item) for item in held.items])
            left = None if left is None else left - len(held.items)


def releasing(s3: S3) -> Decide:
    """Releases each image with files that lie in the store."""

    def decide(held: Claim, item: ClaimedItem) -> Outcome:
        files = []
        channels = {channel.name: channel.media_type for channel in item.channels}
        sizes = {channel.name: (channel.width, channel.height) for channel in item.channels}
        drawn = held.recipe.shape[1::-1]
        for name in (*item.renditions, *channels):
            key = f"released/{item.tenant}/{item.id}/{held.attempt}/{name}"
            content = file_of(item.id, name)
            s3.client("worker").put_object(Bucket=s3.bucket, Key=key, Body=content)
            size, media_type = sizes.get(name, drawn), (RENDITIONS | channels)[name]
            files.append(StoredRendition(name, key, media_type, *size, len(content), "a" * 64))
        return replace(released(held, item), renditions=tuple(files))

    return decide
