"""Entry point of `python -m deploy.embedded DATA`: the supervisor in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.embedded import forks
from deploy.errors import DeployError

if __name__ == "__main__":
    forks.warm_up()  # first: it imports while this process does
    from deploy.embedded.supervisor import Supervisor

    try:
        Supervisor(Path(sys.argv[1])).run()
    except DeployError as error:
        sys.exit(f"{error}")
