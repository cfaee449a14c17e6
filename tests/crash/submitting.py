"""API process that dies between its commit and its reply: python -m tests.crash.submitting COUNT."""

from __future__ import annotations

import os
import signal
import sys

import sqlalchemy as sa

from tests.crash.world import TENANT, campaign
from workers.jobs.submit import submit
from workers.settings import Settings


def main() -> None:
    settings = Settings()
    engine = sa.create_engine(settings.database_url.get_secret_value())
    request, new_items = campaign(int(sys.argv[1]))
    with engine.begin() as conn:
        conn.execute(sa.text("select set_config('presswork.tenant', :t, true)"), {"t": TENANT})
        submit(conn, request, new_items)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
