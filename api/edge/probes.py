"""Probes: whether Postgres, Redis and the object store answer, asked side by side and never waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from workers.settings import Settings
from workers.store import ObjectStore

_REDIS_SECONDS = 1.0


class Probes:
    """One question to each part at a time: a part that hangs holds one thread, however often we are asked.

    The threads are the probes' own, so a pool that is busy with requests holds no probe up.
    """

    def __init__(self, questions: Mapping[str, Callable[[], bool]]) -> None:
        self._questions = questions
        self._threads = ThreadPoolExecutor(len(questions), thread_name_prefix="probe")
        self._open: dict[str, Future[bool]] = {}

    async def silent(self, seconds: float) -> list[str]:
        """The parts that do not answer, or do not answer well, within `seconds`."""
        asked = {name: self._ask(name) for name in self._questions}
        await asyncio.wait([asyncio.wrap_future(answer) for answer in asked.values()], timeout=seconds)
        return [name for name, answer in asked.items() if not (answer.done() and answer.result())]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, name: str) -> Future[bool]:
        earlier = self._open.get(name)
        if earlier is None or earlier.done():
            self._open[name] = earlier = self._threads.submit(self._questions[name])
        return earlier


def make_probes(settings: Settings, engine: Engine, store: ObjectStore) -> Probes:
    """Postgres, Redis and the object store of these settings."""
    broker = redis.Redis.from_url(
        settings.redis_url.get_secret_value(), socket_connect_timeout=_REDIS_SECONDS, socket_timeout=_REDIS_SECONDS
    )
    return Probes(
        {"postgres": lambda: _postgres(engine), "redis": lambda: _redis(broker), "object_store": store.healthy}
    )


def _postgres(engine: Engine) -> bool:
    try:
        with engine.connect() as conn:
            return bool(conn.scalar(text("select true")))
    except SQLAlchemyError:
        return False


def _redis(broker: redis.Redis) -> bool:
    try:
        return bool(broker.ping())
    except redis.RedisError:
        return False
