"""API on the embedded services for benchmarks: no worker, a key of its tenant, and nothing of it left afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.system import REPOSITORY, wait_for_api
from deploy.embedded.environment import process_environment
from deploy.embedded.first_start import prepare
from deploy.embedded.passwords import api_key_file
from deploy.embedded.stack import Stack


@dataclass(frozen=True, slots=True)
class ServedApi:
    """A running API."""

    stack: Stack
    process: subprocess.Popen[bytes]
    url: str
    key: str

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=600)


@contextmanager
def served_api() -> Iterator[ServedApi]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Stack(Path(folder), ports={}) as stack:
        prepare(stack)
        api = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=REPOSITORY,
            env=process_environment(stack, "api", os.environ),
            stderr=subprocess.DEVNULL,
        )
        made = ServedApi(stack, api, f"http://127.0.0.1:{stack.ports['api']}", api_key_file(stack.data).read_text())
        try:
            with made.client() as client:
                wait_for_api(client)
            yield made
        finally:
            api.terminate()
            api.wait()
