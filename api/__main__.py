"""Entry point of `presswork-api`, or `python -m api`: the API as one process."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import suppress
from types import FrameType

from api.app import create_app
from api.server.serve import allow_open_files, make_server
from policy.errors import RulesInvalid
from workers.errors import WorkerError
from workers.logs import configure
from workers.settings import Settings
from workers.tracing import spans as tracing


def main() -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    settings = Settings()
    configure(settings.log_level, "api")
    tracing.configure(settings, "api")
    logging.getLogger("uvicorn.error").addFilter(_is_ours_to_log)
    signal.signal(signal.SIGTERM, _leave)  # uvicorn drains first, then hands the signal back
    try:
        app = create_app(settings)
    except (RulesInvalid, WorkerError) as error:
        sys.exit(f"presswork-api does not start: {error}")
    allow_open_files(settings)
    with suppress(KeyboardInterrupt):  # uvicorn has drained, and raises SIGINT again
        make_server(app, settings).run()


def _is_ours_to_log(record: logging.LogRecord) -> bool:
    """False for what we log ourselves: failures, without words that may quote prompts, and unreadable requests."""
    return record.exc_info is None and record.msg != "Invalid HTTP request received."


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
