"""Affinity: stay with the model that is loaded, within a bound that fairness sets. Pure.

Loading a model takes seconds, and other adapters of the same model a tenth of one. So a batch of the model that was
planned last may go first although it is another lane's turn, as long as

- both are of one priority: a more urgent item never waits for a load that is saved, nor a less urgent one for long,
- the model was planned fewer than `most` batches in a row, so a turn is put off by less than that,
- the tenant that goes first is less than `most` full batches ahead of whose turn it is, so shares stay what the weights
  say in the long run,
- the batch is no smaller than the one whose turn it is.

Who is passed over keeps its place: only a turn moves the clocks. What is loaded is read from the batches that were
planned last, so nothing has to be remembered: a planner that dies knows as much after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class WarmModel(NamedTuple):
    """What a batch needs in memory: a model at a revision, and the adapters on it."""

    model: str
    adapters: str = ""


NOTHING = WarmModel("")


class Affinity:
    """The model of the last batches, and how many there were in a row. `most` 0: every turn is taken as it comes."""

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self.last: WarmModel | None = None
        self.in_a_row = 0

    @classmethod
    def after(cls, planned: Iterable[WarmModel], *, most: int) -> Affinity:
        """`planned` are the latest batches, the last one first."""
        affinity = cls(most)
        for loaded in reversed([*planned]):
            affinity.plan(loaded)
        return affinity

    def plan(self, loaded: WarmModel) -> None:
        """A batch that needs this was planned."""
        same = self.last is not None and self.last.model == loaded.model
        self.in_a_row = self.in_a_row + 1 if same else 1
        self.last = loaded

    def may_stay(self, turn: WarmModel) -> bool:
        """Whether something may go before this one, whose turn it is, because its model is loaded."""
        return self.last is not None and turn != self.last and self.in_a_row < self.most

    def kept(self, turn: WarmModel, waiting: Sequence[WarmModel]) -> WarmModel | None:
        """What to stay with among what waits: the same adapters first, then the same model. None: take the turn."""
        if self.last is None or not self.may_stay(turn):
            return None
        if self.last in waiting:
            return self.last
        same = [loaded for loaded in waiting if loaded.model == self.last.model]
        return None if turn.model == self.last.model else next(iter(same), None)
