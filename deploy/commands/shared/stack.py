"""Running embedded stack of a data directory, as commands see it."""

from __future__ import annotations

from pathlib import Path

from deploy.embedded.background import require_running
from deploy.embedded.stack import Stack
from deploy.embedded.state import State


def attached(data: Path) -> Stack:
    """Addresses and passwords of the running stack, without starting or locking anything. Raises NotRunning."""
    return Stack.attached(data, require_running(data).ports)


def api_url(state: State) -> str:
    return f"http://127.0.0.1:{state.ports['api']}"
