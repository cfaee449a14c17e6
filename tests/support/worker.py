"""Worker in this process: the real screen, marks, store and executor around a sampler that only draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from policy.images.screen import ImageScreen
from policy.marks.cutouts.marker import CutoutMarker
from policy.marks.provenance.signing import LocalSigner, Signer
from policy.prompts.meaning.screen import MeaningScreen
from policy.rules import Rules
from tests.support.fakes import FakeSampler, RecordingQueue
from tests.support.line import LEASE, Line
from workers.crash import Probe, no_probe
from workers.gpu.executor import Executor
from workers.gpu.finish import Finisher
from workers.jobs.expire import expire
from workers.jobs.fleet import members as fleet
from workers.jobs.tables import assets, batches, renditions
from workers.jobs.types import Claim
from workers.planning import planner, reconciler
from workers.sampling.types import Sampler
from workers.settings import Settings
from workers.states import ItemState
from workers.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import S3


@dataclass(slots=True)
class Works:
    """Executors on one test's services, and the planner and reconciler that feed them."""

    line: Line
    settings_for: Callable[..., Settings]
    s3: S3
    queue: RecordingQueue = field(default_factory=RecordingQueue)

    def executor(
        self,
        sampler: Sampler | None = None,
        *,
        signer: Signer | None = None,
        store: ObjectStore | None = None,
        probe: Probe = no_probe,
        worker: str = "worker-1",
        device: str = "fake",
        **settings: Any,
    ) -> Executor:
        chosen = self.settings_for("worker", **settings)
        rules, screen = policy(chosen.policy_rules)
        certificate, key, anchors = chosen.signing_certificate, chosen.signing_key, chosen.trust_anchors
        assert certificate is not None
        assert key is not None
        assert anchors is not None
        signer = signer or LocalSigner.from_files(certificate, key)
        marker = CutoutMarker(signer, anchors.read_text(), chosen.generator_name, "test")
        store = store or ObjectStore(chosen)
        with self.line.worker.begin() as conn:
            fleet.seen(conn, worker, queues=chosen.queue_names, threads=chosen.worker_threads, device=device)
        return Executor(
            settings=chosen,
            engine=self.line.worker,
            sampler=sampler or FakeSampler(),
            finisher=Finisher(rules, screen, meaning(rules), marker, store, chosen.ledger_origin, probe),
            worker=worker,
            device=device,
            probe=probe,
        )

    def batch(self, images: int = 3, **submitted: Any) -> str:
        return self.line.dispatch(self.line.submit("acme", images, **submitted))

    def look(self, **settings: Any) -> list[str]:
        """What planner and reconciler send when they look once."""
        already = len(self.queue.batch_ids)
        for part in (reconciler, planner):
            part.run_once(self.line.worker, self.queue, self.settings_for("worker", **settings))
        return self.queue.batch_ids[already:]

    def assert_settled_once(self, images: int) -> None:
        """Every item released exactly once; the store holds what the assets name and nothing more."""
        assert self.line.states() == {ItemState.RELEASED: images}, self.line.states()
        with self.line.auditor.connect() as conn:
            assert len(set(conn.scalars(select(assets.c.item_id)))) == images
            assert sorted(conn.scalars(select(renditions.c.key))) == self.s3.keys()
        told = [event.event["item_id"] for event in self.line.events("item.released")]
        assert len(told) == len(set(told)) == images

    def taken_over(self, held: Claim) -> None:
        """The lease of this claim runs out and another worker does the whole batch."""
        with self.line.worker.begin() as conn:  # one transaction: the first worker would renew its lease in between
            over = update(batches).where(batches.c.id == held.batch_id)
            conn.execute(over.values(lease_until=func.clock_timestamp() - LEASE))
            assert [send.batch_id for send in expire(conn, LEASE)] == [held.batch_id]
        self.executor(worker="worker-2").run(held.batch_id)


@cache
def policy(path: Path) -> tuple[Rules, ImageScreen]:
    """The rules and their screen; loading the weights costs more than most tests."""
    rules = Rules.load(path)
    return rules, ImageScreen.load(rules)


@cache
def meaning(rules: Rules) -> MeaningScreen:
    """The scorers that the rules ask for."""
    return MeaningScreen.load(rules)
