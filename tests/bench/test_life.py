"""Life of a small campaign, by the steps of `python -m bench.life`, on the real planner, executor and API."""

from __future__ import annotations

import threading
from pathlib import Path

from fastapi.testclient import TestClient

from bench.life.steps import CampaignLife
from bench.life.worker import LifeSampler
from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.worker import Works

_SETTINGS = {"max_batch": 2, "worker_threads": 1, "window": 1}


def _caller(api: ApiTenant, person: str | None) -> TestClient:
    client = api.server.anonymous()
    client.headers["Authorization"] = f"Bearer {api.server.key(api.tenant, person=person)[1]}"
    return client


def test_a_campaign_is_priced_sampled_paused_stopped_mended_and_sent_again(
    api: ApiTenant, s3: S3, tmp_path: Path
) -> None:
    works, stop = Works(api.server.line, api.server.settings_for, s3), threading.Event()
    executor = works.executor(LifeSampler(tmp_path), **_SETTINGS)

    def work() -> None:
        while not stop.wait(0.01):
            for batch_id in works.look(**_SETTINGS):
                executor.run(batch_id)

    said: list[str] = []
    life = CampaignLife(
        _caller(api, "ann@shop.example"),
        _caller(api, None),
        tmp_path,
        rows=60,
        pilot=8,
        wait_seconds=120.0,
        still_seconds=0.1,
        say=said.append,
    )
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        life.live()
    finally:
        stop.set()
        worker.join()
    assert life.wrong == [], "\n".join(said)
