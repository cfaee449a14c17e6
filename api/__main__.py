"""`presswork-api`, or `python -m api`: the API as one process."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType

import uvicorn

from api.app import create_app
from policy.errors import RulesInvalid
from workers.errors import WorkerError
from workers.logs import configure
from workers.settings import Settings

_DRAIN_SECONDS = 20  # requests under way may finish within this after SIGTERM


def main() -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    settings = Settings()
    configure(settings.log_level, "api")
    # The application logs its own failures, without the words of errors, which may quote prompts.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.exc_info is None)
    signal.signal(signal.SIGTERM, _leave)  # uvicorn drains first, then hands the signal back
    try:
        app = create_app(settings)
    except (RulesInvalid, WorkerError) as error:
        sys.exit(f"presswork-api does not start: {error}")
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,  # it would write query strings; Observation logs instead
        server_header=False,
        proxy_headers=False,  # api/edge/client_address.py reads them, where a setting names the proxies
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
