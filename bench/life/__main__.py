"""Life of a campaign of 2,000 rows as one run on a whole installation, with a watcher that is killed and comes back.

    python -m bench.life [--rows 2000] [--kills 20] [--seed 1]

Check, pilot, pause, cancel of a country, a supplier whose pictures turn bad, breaker, retry, a second send, the bill.
The device is not real; everything else is. Exit code 1: something was not as it must be; the report says what.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import text

from bench.life.steps import CampaignLife
from bench.life.watcher import kept
from bench.soak.installation import Installation
from workers.jobs.keys import SCOPES, create_key, create_tenant

_TENANT = "shop"
_SETTINGS = {"prices": "*=3.60", "currency": "EUR"}
_UP_SECONDS = 300.0


def main() -> None:
    asked = _arguments()
    temporary = tempfile.TemporaryDirectory(prefix="presswork-life-", ignore_cleanup_errors=True)
    with temporary as name, Installation(Path(name)) as on:
        wrong = _run(on, Path(name), asked)
    print("everything was as it must be" if not wrong else f"WRONG: {'; '.join(wrong)}", flush=True)
    raise SystemExit(1 if wrong else 0)


def _run(on: Installation, folder: Path, asked: argparse.Namespace) -> list[str]:
    for n in (1, 2):
        on.drop(f"good-{n}")
    on.drop("api")
    on.keep("api", "api.__main__", role="api", s3_endpoint_url=on.stack.seaweed.endpoint_url, **_SETTINGS)
    on.keep("gpu", "bench.life.worker", str(folder), role="worker", **_SETTINGS)
    keys = _keys(on)
    with ExitStack() as stack:
        person, service = (
            stack.enter_context(httpx.Client(base_url=on.url, headers={"Authorization": f"Bearer {key}"}, timeout=120))
            for key in keys
        )
        if not on.until(lambda: _is_up(on, person), _UP_SECONDS):
            raise SystemExit("the API or the worker did not come up")
        watched = Watched(on.url, keys[1], folder / "watched", asked.kills, random.Random(asked.seed))
        began = time.monotonic()
        life = CampaignLife(person, service, folder, asked.rows, say=_said(began), watch=watched.begin)
        try:
            life.live()
        finally:
            watched.end()
        life.say(f"{asked.rows} rows in {time.monotonic() - began:.0f} s")
        return [*life.wrong, *watched.missed(person, life)]


def _is_up(on: Installation, client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success and bool(on.query("select 1 from gpu_workers"))
    except httpx.HTTPError:
        return False


def _said(began: float) -> Callable[[str], object]:
    return lambda text: print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)


def _keys(on: Installation) -> tuple[str, str]:
    """Of a person, and of a service."""
    with on.engine("api").begin() as conn:
        conn.execute(text("select set_config('presswork.tenant', :t, true)"), {"t": _TENANT})
        create_tenant(conn, _TENANT, name=_TENANT, actor="life")
        person = create_key(conn, _TENANT, name="ann", scopes=SCOPES, actor="life", person="ann@shop.example")
        return person[1], create_key(conn, _TENANT, name="job", scopes=SCOPES, actor="life")[1]


@dataclass
class Watched:
    """A watcher process that is killed again and again, and what it wrote."""

    url: str
    key: str
    file: Path
    kills: int
    chance: random.Random
    killed: int = 0
    _request: str = ""
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self, request_id: str) -> None:
        self._request = request_id
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Returns once the watcher was told that the request is over."""
        self._over.set()
        if self._thread:
            self._thread.join()

    def missed(self, client: httpx.Client, life: CampaignLife) -> list[str]:
        """What it lacks of the events that a listener gets who was never away."""
        told = self._told(client)
        seen = kept(self.file)
        life.say(
            f"the watcher was killed {self.killed} times: {len(seen)} events of {len(told)},"
            f" {len(set(told) - set(seen))} missing, {len(seen) - len(set(seen))} twice"
        )
        return [] if seen == told else ["the watcher's events are not those of the request"]

    def _told(self, client: httpx.Client) -> list[int]:
        """Ids of all events of the request, from its beginning to 204."""
        told: list[int] = []
        while True:
            headers = {"Last-Event-ID": str(told[-1])} if told else {}
            whole = client.get(f"/v1/requests/{self._request}/events", headers=headers)
            if whole.status_code == 204:
                return told
            told += [int(line.removeprefix("id: ")) for line in whole.text.splitlines() if line.startswith("id: ")]

    def _run(self) -> None:
        while True:
            process = self._start()
            if self.killed == self.kills or self._over.is_set():
                while process.poll() is None and not self._over.wait(0.2):
                    pass
                process.wait(60)
                if self._over.wait(1.0):
                    return
                continue  # the request ended and was retried: there will be more
            time.sleep(self.chance.uniform(0.2, 4.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.killed += 1

    def _start(self) -> subprocess.Popen[bytes]:
        address = f"{self.url}/v1/requests/{self._request}/events"
        command = [sys.executable, "-m", "bench.life.watcher", address, str(self.file)]
        return subprocess.Popen(command, env={**os.environ, "PRESSWORK_KEY": self.key})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=20, help="of the watcher, at moments that the seed decides")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
