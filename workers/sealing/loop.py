"""Loop of `python -m workers sealer`: seals, anchors, publishes revocations; in a thread, asks the witnesses.

Any number may run; the lock in `policy.ledger.tree.seal` lets one work. The thread has a connection of its own, so that
no seal waits for a slow witness.
"""

from __future__ import annotations

import threading
from pathlib import Path

from workers.loop import Every, Loop, run_all
from workers.sealing.revocations import make_publisher
from workers.sealing.sealer import make_sealer
from workers.settings import Settings


def serve(settings: Settings, stop: threading.Event) -> None:
    """Run the sealer's process until `stop`; what was committed until then is sealed in a last round."""
    sealer, publisher = make_sealer(settings), make_publisher(settings)

    look = Every(settings.rest_seconds, publisher.run_once)  # for the age of the list, and for what failed before

    def seal() -> bool:
        if sealer.run_once():
            publisher.run_once()  # only what was sealed just now can recall something
        else:
            look()
        return False  # a seal that follows at once would only make more checkpoints

    loops = [Loop("sealer", seal, pause_seconds=settings.seal_seconds, last_round=True)]
    if settings.witness_policy:
        loops.append(_asking(settings, settings.witness_policy))
    run_all(loops, stop)


def _asking(settings: Settings, policy: Path) -> Loop:
    from workers.sealing.cosign import make_witnessing  # noqa: PLC0415 - an HTTP client, for those who have witnesses

    witnessing = make_witnessing(settings, policy)

    def ask() -> bool:
        witnessing.run_once()
        return False

    return Loop("witnesses", ask, pause_seconds=settings.seal_seconds, close=witnessing.close)
