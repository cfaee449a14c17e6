"""Loop of `python -m workers sealer`: seals, anchors, publishes revocations; in a thread, asks the witnesses.

Any number may run; the lock in `policy.ledger.tree.seal` lets one work. The thread has a connection of its own, so that
no seal waits for a slow witness.
"""

from __future__ import annotations

import threading

from workers.loop import Loop, run_all
from workers.sealing.cosign import Witnessing, make_witnessing
from workers.sealing.revocations import make_publisher
from workers.sealing.sealer import make_sealer
from workers.settings import Settings


def serve(settings: Settings, stop: threading.Event) -> None:
    """Run the sealer's process until `stop`; what was committed until then is sealed in a last turn."""
    sealer, publisher, witnessing = make_sealer(settings), make_publisher(settings), make_witnessing(settings)

    def seal() -> bool:
        sealer.turn()
        publisher.turn()
        return False  # a seal that follows at once would only make more checkpoints

    loops = [Loop("sealer", seal, pause_seconds=settings.seal_seconds, last_turn=True)]
    if witnessing:
        loops.append(_asking(witnessing, settings))
    run_all(loops, stop)


def _asking(witnessing: Witnessing, settings: Settings) -> Loop:
    def ask() -> bool:
        witnessing.turn()
        return False

    return Loop("witnesses", ask, pause_seconds=settings.seal_seconds, close=witnessing.close)
