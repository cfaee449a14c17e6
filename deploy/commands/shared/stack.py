"""Running embedded stack of a data directory, as commands see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.embedded.background import require_running
from deploy.embedded.state import State

if TYPE_CHECKING:
    from deploy.embedded.stack import Stack


def attached(data: Path) -> Stack:
    """Addresses and passwords of the running stack, without starting or locking anything. Raises NotRunning."""
    from deploy.embedded.stack import Stack  # noqa: PLC0415 - most commands need no client of Postgres, Redis or S3

    return Stack.attached(data, require_running(data).ports)


def api_url(state: State) -> str:
    return f"http://127.0.0.1:{state.ports['api']}"
