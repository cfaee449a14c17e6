"""Loopback ports of the components: the last run's if it is free, else the preferred one, else any free one."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
_RANGE = range(20_000, 32_000)  # below every system's range for outgoing connections, which could take the port


def pick(wanted: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """A free port for each name: the first free candidate, else any. No port is given twice."""
    picked: dict[str, int] = {}
    for name, candidates in wanted.items():
        taken = set(picked.values())
        picked[name] = next((port for port in candidates if port not in taken and is_free(port)), 0) or _any(taken)
    return picked


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Servers set it too: a port in TIME_WAIT is free for them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _any(taken: set[int]) -> int:
    candidates = (port for port in random.sample(_RANGE, len(_RANGE)) if port not in taken)
    port = next((port for port in candidates if is_free(port)), None)
    if port is None:
        raise OSError(f"no free port between {_RANGE.start} and {_RANGE.stop} on {LOOPBACK}")
    return port
