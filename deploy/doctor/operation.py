"""Operation as the database shows it: what should run and does not."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from deploy.doctor.diagnosis import Diagnoses, in_words, ok, unknown, warning, wrong
from policy.ledger.tree.seal import lag_seconds
from workers.database import make_engine
from workers.jobs.fleet import members
from workers.settings import Settings

SEAL_LAG_SECONDS = 60.0


def examine_workers(settings: Settings) -> Diagnoses:
    """Live workers by queue, and what stopped them. For the login of a worker."""
    engine = make_engine(settings.database_url.get_secret_value(), name="doctor", pool_size=1)
    try:
        with engine.connect() as conn:
            live, out = members.live(conn), members.devices_out(conn)
    except SQLAlchemyError as error:
        yield unknown("workers", in_words(error))
        return
    finally:
        engine.dispose()
    for queue in settings.queue_names:
        of_queue = [worker for worker in live if queue in worker.queues]
        if not of_queue:
            yield warning("workers", f"none serves queue {queue}", "start one: python -m workers gpu")
        else:
            yield ok("workers", f"{len(of_queue)} for queue {queue}")
    for worker in live:
        if worker.stopped:
            yield warning(
                "workers",
                f"{worker.name} takes nothing: {worker.stopped}",
                "docs/operations.md says what each reason means",
            )
    for device in out:
        yield warning("devices", f"{device} is out of use", f"presswork workers readmit {device}, after a look at it")


def examine_sealing(settings: Settings) -> Diagnoses:
    """Age of the oldest event that is not sealed. For the login of the sealer or the auditor."""
    engine = make_engine(settings.database_url.get_secret_value(), name="doctor", pool_size=1)
    try:
        with engine.connect() as conn:
            conn.execute(text("set transaction read only"))
            lag = lag_seconds(conn)
    except SQLAlchemyError as error:
        yield unknown("sealing", in_words(error))
        return
    finally:
        engine.dispose()
    if lag > SEAL_LAG_SECONDS:
        yield wrong("sealing", f"an event waits for {lag:,.0f} s", "start the sealer, or read in its log why it stops")
    else:
        yield ok("sealing", "every event is sealed" if not lag else f"the oldest event waits for {lag:.0f} s")
