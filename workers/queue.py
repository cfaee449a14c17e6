"""Queue of batch ids in Redis; losing all of it costs at most one lease.

Celery's own retries, results and time limits are off: state, attempts and retries live in Postgres.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from celery import Celery
from kombu.exceptions import OperationalError

from workers.errors import BrokerUnavailable
from workers.settings import Settings

RUN_BATCH = "presswork.run_batch"
_ANSWER_SECONDS = 2  # the broker answers a push within this, or the reconciler sends later
_LONGEST_SWEEP_SECONDS = 60.0


def make_celery(settings: Settings) -> Celery:
    """The one Celery configuration, for senders and workers alike."""
    app = Celery("presswork", broker=_verifying(settings.redis_url.get_secret_value()), set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_seconds,
            # Each sweep for unacknowledged messages takes a lock, and so writes: seldom, beside the timeout it adds to.
            "unacked_restore_interval": min(settings.visibility_timeout_seconds / 10, _LONGEST_SWEEP_SECONDS),
            "unacked_restore_throttle": 1,
            "queue_order_strategy": "priority",
            "socket_connect_timeout": _ANSWER_SECONDS,
            "socket_timeout": 30,
            "socket_keepalive": True,
        },
    )
    return app


def _verifying(url: str) -> str:
    """A rediss:// URL that says so: kombu takes any certificate where nothing is said, and redis-py does not."""
    if ";" in url:  # several brokers, of which the next one is asked where one is away
        return ";".join(map(_verifying, url.split(";")))
    parts = urlsplit(url)
    if parts.scheme != "rediss" or "ssl_cert_reqs" in parse_qs(parts.query):
        return url
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, "ssl_cert_reqs=required"]))))


class Queue:
    """Sends batch ids. Raises BrokerUnavailable within seconds; never blocks on a dead broker."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_celery(settings)
        options = dict(self._app.conf.broker_transport_options)
        # One attempt: what could not be sent is marked in Postgres, and the reconciler is the retry.
        self._app.conf.broker_transport_options = {**options, "socket_timeout": _ANSWER_SECONDS, "max_retries": 0}

    def send(self, queue: str, batch_id: str) -> None:
        try:
            self._app.send_task(RUN_BATCH, args=[batch_id], queue=queue, retry=False, ignore_result=True)
        except (OperationalError, OSError) as error:
            raise BrokerUnavailable(f"the broker did not accept the message: {error}") from error


class Intake:
    """Whether a worker takes messages from its queues. What it leaves in Redis, others take."""

    def __init__(self, queues: Iterable[str]) -> None:
        self.consumer: Any = None  # Celery's, once it is ready
        self._queues = tuple(queues)

    def take(self, messages: bool) -> None:
        """Begin or stop, soon. From any thread: the consumer's own thread does it."""
        if self.consumer is None:
            return
        act = self.consumer.add_task_queue if messages else self.consumer.cancel_task_queue
        for queue in self._queues:
            self.consumer.call_soon(act, queue)
