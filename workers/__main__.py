"""Entry point of every worker process: python -m workers gpu | planner | sealer | clerk | identify."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import structlog

from workers import logs, metrics
from workers.settings import Settings
from workers.states import FINISHING
from workers.tracing import spans as tracing

if TYPE_CHECKING:
    from policy.marks.writers import Writer
    from workers.gpu.executor import Executor
    from workers.sampling.cards.registry import Registry
    from workers.sampling.types import Sampler

log = structlog.get_logger()
USAGE = "usage: python -m workers gpu | planner | sealer | clerk | identify"


def serve_planner(settings: Settings) -> None:
    """Plan, dispatch, expire. Any number may run; one works at a time."""
    from workers.planning import loop  # noqa: PLC0415 - each process imports what it runs

    loop.serve(settings, _stop_on_signal())


def serve_sealer(settings: Settings) -> None:
    """Seal committed events and anchor checkpoints. Any number may run; one works at a time."""
    from workers.sealing import loop  # noqa: PLC0415

    loop.serve(settings, _stop_on_signal())


def serve_clerk(settings: Settings) -> None:
    """Carry out what people ordered: reviews, recalls, erasures. Any number may run."""
    from workers.clerk import loop  # noqa: PLC0415

    loop.serve(settings, _stop_on_signal())


def serve_identify(settings: Settings) -> None:
    """Answer whose picture this is, and index what is released. Any number may run."""
    from workers.identification import loop  # noqa: PLC0415

    loop.serve(settings, _stop_on_signal())


def serve_gpu(settings: Settings) -> None:
    """Make batches until SIGTERM: then finish what is being finished and give back what is being sampled."""
    from workers.sampling.cards.registry import Registry  # noqa: PLC0415

    registry = Registry.load(settings.models_dir)
    if settings.queue_names == (FINISHING,):  # files of kept drawings alone: no device, no model
        from workers.sampling.no_device import NoDevice  # noqa: PLC0415

        executor = make_executor(settings, NoDevice(), device=NoDevice.device_id)
        register_all(settings, executor, registry)
        serve_executor(settings, executor)
        return
    from workers.sampling.device.speed import speed_for  # noqa: PLC0415
    from workers.sampling.sampler import DiffusersSampler  # noqa: PLC0415

    sampler = DiffusersSampler(
        registry,
        settings.device,
        settings.torch_threads,
        memory=settings.model_memory_mib << 20,
        choose=partial(speed_for, compiled=settings.compile),
    )
    cards = map(registry.get, registry.names())
    sampler.prepare([card.name for card in cards if card.queue in settings.queue_names])
    executor = make_executor(settings, sampler, _mark_writer(settings), device=sampler.device_id)
    executor.device_class = sampler.device_class
    register_all(settings, executor, registry)
    serve_executor(settings, executor)


def register_all(settings: Settings, executor: Executor, registry: Registry) -> None:
    """Keep the texts of the rule set and the cards before a batch is judged by them. Raises if they cannot be kept.

    Ends the process where too few people approved the rule set: nothing is judged by one that lacks them.
    """
    from policy.errors import RulesNotApproved  # noqa: PLC0415
    from policy.ledger.documents import register  # noqa: PLC0415
    from workers.database import transact  # noqa: PLC0415
    from workers.documents import documents_of  # noqa: PLC0415
    from workers.jobs.rulesets.approvals import demand_approved  # noqa: PLC0415

    documents = documents_of(executor.finisher.rules, settings.policy_rules, registry)
    actor = f"worker:{executor.worker}"
    rules, needed = executor.finisher.rules, settings.rules_approvals
    new = transact(executor.engine, lambda conn: register(conn, documents, actor=actor), patience_seconds=60.0)
    log.info("registered", documents=len(documents), new=new)
    try:
        transact(executor.engine, lambda conn: demand_approved(conn, rules.version, needed), patience_seconds=60.0)
    except RulesNotApproved as error:
        log.error("rules_not_approved", error=str(error))
        raise SystemExit(str(error)) from error


def serve_executor(settings: Settings, executor: Executor) -> None:
    """Run an executor as a Celery worker: threads side by side, the GPU lock inside makes them take turns."""
    from celery.signals import worker_ready, worker_shutting_down  # noqa: PLC0415

    from workers.database import transact  # noqa: PLC0415
    from workers.gpu.presence import Presence  # noqa: PLC0415
    from workers.queue import RUN_BATCH, Intake, make_celery  # noqa: PLC0415

    app = make_celery(settings)
    app.task(name=RUN_BATCH)(executor.run)

    intake = Intake(settings.queue_names)
    presence = Presence(
        executor.engine,
        settings,
        executor.standing,
        executor.finisher.store,
        executor.worker,
        executor.device,
        executor.device_class,
        take_messages=intake.take,
    )

    def drain(**_: object) -> None:
        log.info("worker_draining")
        executor.draining.set()

    def ready(sender: object, **_: object) -> None:
        intake.consumer = sender
        presence.start()

    worker_shutting_down.connect(drain, weak=False)
    worker_ready.connect(ready, weak=False)
    executor.replace_process = _end_softly
    transact(executor.engine, lambda _conn: presence.enter(), patience_seconds=60.0)
    arguments = ["worker", "--pool=threads", f"--concurrency={settings.worker_threads}", "--queues"]
    arguments += [",".join(settings.queue_names)]
    arguments += ["--loglevel", settings.log_level, "--without-gossip", "--without-mingle", "-n", executor.worker]
    try:
        app.worker_main(arguments)
    finally:
        presence.leave()


def _end_softly() -> None:
    """As SIGTERM from outside: what is being finished is finished, the supervisor starts a new process."""
    os.kill(os.getpid(), signal.SIGTERM)


def _mark_writer(settings: Settings) -> Writer:
    """Where the pictures are drawn they are marked too, unless that is the processor: numpy is faster there."""
    from policy.marks.writers import NumpyWriter, TorchWriter  # noqa: PLC0415
    from workers.sampling.device.devices import choose_device  # noqa: PLC0415

    device = choose_device(settings.device)
    return NumpyWriter() if device.type == "cpu" else TorchWriter(device)


def make_executor(
    settings: Settings, sampler: Sampler, mark_writer: Writer | None = None, *, device: str = ""
) -> Executor:
    """The worker's heart with its real parts. Raises where a part cannot be had: a worker that cannot
    screen, mark or sign does not start.
    """
    from policy.images.screen import ImageScreen  # noqa: PLC0415
    from policy.marks.cutouts.marker import CutoutMarker  # noqa: PLC0415
    from policy.prompts.meaning.screen import MeaningScreen  # noqa: PLC0415
    from policy.rules import Rules  # noqa: PLC0415
    from workers.crash import killer  # noqa: PLC0415
    from workers.database import make_engine  # noqa: PLC0415
    from workers.gpu.executor import Executor  # noqa: PLC0415
    from workers.gpu.finish import Finisher  # noqa: PLC0415
    from workers.gpu.key_service import signer_of  # noqa: PLC0415
    from workers.store import ObjectStore  # noqa: PLC0415
    from workers.version import VERSION  # noqa: PLC0415

    signer = signer_of(settings)
    if signer is None or settings.trust_anchors is None:
        raise SystemExit(
            "a worker needs PRESSWORK_SIGNING_CERTIFICATE, PRESSWORK_SIGNING_KEY (or PRESSWORK_SIGNING_URL) and "
            "PRESSWORK_TRUST_ANCHORS; `presswork up` makes a development chain"
        )
    rules = Rules.load(settings.policy_rules)
    meaning = MeaningScreen.load(rules)
    for name, reason in meaning.missing.items():
        log.warning("moderation_model_missing", name=name, reason=reason)  # what it should have scored is held
    probe = killer(settings.crash_point)
    marker = CutoutMarker(
        signer,
        settings.trust_anchors.read_text(),
        settings.generator_name,
        VERSION,
        timestamp_url=settings.timestamp_url,
        writer=mark_writer,
    )
    return Executor(
        settings=settings,
        engine=make_engine(
            settings.database_url.get_secret_value(), name="worker", pool_size=2 * settings.worker_threads + 2
        ),
        sampler=sampler,
        finisher=Finisher(
            rules,
            ImageScreen.load(rules),
            meaning,
            marker,
            ObjectStore(settings),
            settings.ledger_origin,
            probe,
            keep_drawings=settings.keep_drawings,
            thumbnails=settings.thumbnails,
        ),
        worker=f"{socket.gethostname()}-{os.getpid()}",
        device=device or f"{settings.device}@{socket.gethostname()}",
        probe=probe,
    )


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def main() -> None:
    processes = {
        "gpu": serve_gpu,
        "planner": serve_planner,
        "sealer": serve_sealer,
        "clerk": serve_clerk,
        "identify": serve_identify,
    }
    if len(sys.argv) != 2 or sys.argv[1] not in processes:
        raise SystemExit(USAGE)
    settings = Settings()  # read from the environment
    logs.configure(settings.log_level, sys.argv[1])
    tracing.configure(settings, sys.argv[1])
    metrics.start_at_zero(settings.queue_names)
    metrics.serve(settings.metrics_port, settings.metrics_host)
    processes[sys.argv[1]](settings)


if __name__ == "__main__":
    main()
