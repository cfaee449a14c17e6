"""Redis as the broker: version, eviction, cluster mode. A message that is lost costs a lease, never an item."""

from __future__ import annotations

import redis

from deploy.doctor.diagnosis import Diagnoses, in_words, ok, unknown, wrong
from workers.settings import Settings

_MIN_VERSION = (6, 2)
_SECONDS = 5


def examine_broker(settings: Settings) -> Diagnoses:
    """What the broker says of itself. Writes nothing."""
    try:
        with redis.Redis.from_url(
            settings.redis_url.get_secret_value(), socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS
        ) as client:
            yield from _broker(client.info())
    except (redis.RedisError, ValueError) as error:
        yield wrong("Redis", in_words(error), "check PRESSWORK_REDIS_URL, the server, and the way to it")


def _broker(info: dict[str, object]) -> Diagnoses:
    version = str(info.get("redis_version", ""))
    if info.get("redis_mode") == "cluster":
        yield wrong("Redis", "cluster mode", "use a single server: Celery's transport supports no cluster")
    elif tuple(map(int, version.split(".")[:2] or "0")) < _MIN_VERSION:
        yield wrong("Redis", f"version {version}", f"use {'.'.join(map(str, _MIN_VERSION))} or newer")
    else:
        yield ok("Redis", f"version {version}")
    policy = info.get("maxmemory_policy")
    if policy is None:
        yield unknown("eviction of Redis", "this login may not read it")
    elif policy != "noeviction" and info.get("maxmemory"):
        remedy = "set maxmemory-policy noeviction: an evicted message is sent again only after a lease"
        yield wrong("eviction of Redis", f"maxmemory-policy is {policy}", remedy)
    else:
        yield ok("eviction of Redis", "none")
