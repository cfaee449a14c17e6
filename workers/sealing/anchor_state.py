"""Anchor state: what the sealer knows of each anchor. Each is asked and fed on its own: one that is away stops nothing.

After a failure a place is left alone for a while, counted as an alarm, and catches up with the newest head, which
covers all before it. Nothing is signed until at least one anchor has answered since this process began: without any,
a restored database could not be told from a sound one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from policy.errors import BrokenLedger, LedgerError
from policy.ledger.tree.anchor import Anchor
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint
from workers import metrics
from workers.errors import StoreUnavailable, WorkerError

log = structlog.get_logger()


class Anchoring:
    """Owned by the sealer's thread."""

    def __init__(self, anchors: Sequence[Anchor], *, pause_seconds: float) -> None:
        self._states = [_AnchorState(anchor) for anchor in anchors]
        self._pause_seconds = pause_seconds  # after a failure, so that sealing keeps its pace
        for anchor in anchors:
            metrics.ANCHOR_FAILURES.labels(anchor.name)  # at 0 from the start: the first failure is a step

    def settled(self, size: int) -> bool:
        """Whether every anchor is known to hold the head of `size` leaves, and no larger one."""
        return all(state.size == size for state in self._states)

    def signed(self, vkeys: Sequence[Vkey]) -> list[Checkpoint]:
        """The newest head of every anchor that answers, its signature checked.

        Raises StoreUnavailable while none has ever answered, LedgerError, naming the anchor, for a head that no
        trusted key signed.
        """
        found = []
        for state in self._states:
            try:
                head = self._newest(state, vkeys)
            except WorkerError as error:
                self._failed(state, error)
                continue
            found += [head] if head else []
        if not any(state.asked for state in self._states):
            raise StoreUnavailable("no anchor has answered since this process began, so nothing is signed")
        return found

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        """To every anchor that lacks it. An anchor that does not take it is an alarm, and tried again later."""
        for state in self._states:
            if checkpoint.size <= state.size or time.monotonic() < state.again:
                continue
            try:
                state.anchor.put(checkpoint, note)
            except WorkerError as error:
                self._failed(state, error)
                continue
            state.size = checkpoint.size

    def _newest(self, state: _AnchorState, vkeys: Sequence[Vkey]) -> Checkpoint | None:
        if state.asked and time.monotonic() < state.again:
            return None
        anchored = state.anchor.newest()
        state.asked = True
        if anchored is None:
            return None
        try:
            checkpoint = open_checkpoint(state.anchor.note(anchored), vkeys)
        except LedgerError as error:
            said = f"the newest checkpoint in the anchor '{state.anchor.name}': {error}"
            raise type(error)(said) from error
        if (checkpoint.size, checkpoint.root) != (anchored.size, anchored.root):
            raise BrokenLedger(f"the anchor '{state.anchor.name}' lists {anchored.size} leaves and holds another note")
        state.size = checkpoint.size
        return checkpoint

    def _failed(self, state: _AnchorState, error: WorkerError) -> None:
        state.again = time.monotonic() + self._pause_seconds
        metrics.ANCHOR_FAILURES.labels(state.anchor.name).inc()
        signing = any(each.asked for each in self._states)
        log.error(
            "anchor_unavailable",
            place=state.anchor.name,
            error=type(error).__name__,
            reason=str(error),
            signing=signing,
        )


class _AnchorState:
    """What is known of one anchor."""

    def __init__(self, anchor: Anchor) -> None:
        self.anchor = anchor
        self.again = 0.0  # monotonic; before it the place is left alone
        self.asked = False  # it has answered since this process began
        self.size = 0  # leaves under the newest head that it is known to hold
