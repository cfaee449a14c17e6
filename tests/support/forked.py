"""Forked processes: `python -m MODULE` without its seconds of imports, which one parent has done for all of them.

The parent is multiprocessing's fork server: one thread, no connection, no weights in memory. A child of it is a process
like any other: its own pid, environment, log and signals, and SIGKILL takes everything at once. The command lines of
users are what it leaves out; tests/behaviour/test_end_to_end.py and tests/api/test_process.py start processes by those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

from deploy.embedded.forks import Forked
from tests.support.repository import REPOSITORY

PRELOADED = (
    *("tests.support.forked", "tests.crash.submitting", "tests.crash.worker", "workers.gpu.executor", "workers.queue"),
    *("celery.apps.worker", "celery.concurrency.thread", "kombu.transport.redis"),
    *("workers.planning.loop", "workers.sealing.loop", "workers.clerk.loop", "workers.identification.loop"),
    *("policy.images.screen", "policy.marks.marker", "policy.prompts.meaning.screen", "onnxruntime"),
)


def start(module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> Forked:
    """Run the `main` of a module, with this environment and nothing else. What it prints goes to the log."""
    process = _fork_server().Process(target=_become, args=(module, arguments, dict(environment), log))
    process.start()
    return Forked(process)


@cache
def _fork_server() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _become(module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    with log.open("ab") as lines:
        os.dup2(lines.fileno(), 1)
        os.dup2(lines.fileno(), 2)
    os.chdir(REPOSITORY)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    import_module(module).main()
