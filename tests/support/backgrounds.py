"""Background tasks in few words: a photo with its true mask, a request, what became of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.fakes import FakeSampler
from tests.support.foreign_files import saved
from tests.support.products import bottle
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works

SIDE = 256
REMOVE, REPLACE = "remove-background", "replace-background"


def photo(tenant: InputTenant, seed: int, side: int = SIDE) -> tuple[str, str]:
    """A photo of a good, and its true mask."""
    shot = bottle(side, ground="studio", seed=seed)
    true = np.where(shot.alpha == 0, seed, shot.alpha)  # a level of its own makes it another file
    sent = (shot.picture, np.repeat(true[..., None], 3, axis=2).astype(np.uint8))
    image, mask = (str(tenant.sent(saved(one))["id"]) for one in sent)
    return image, mask


def asked(tenant: InputTenant, task: str, **more: Any) -> str:
    body = {"prompt": "a wooden table", "model": "studio", "task": task, **more}
    answered = tenant.client.post("/v1/requests", json=body)
    assert answered.status_code == 202, answered.text
    return str(answered.json()["id"])


def made(works: Works, tenant: InputTenant, request_id: str, sampler: FakeSampler | None = None) -> dict[str, Any]:
    """Its item, after everything that is due was made."""
    executor = works.executor(sampler or FakeSampler())
    while batches := works.look():
        for batch_id in batches:
            executor.run(batch_id)
    (item,) = tenant.client.get(f"/v1/requests/{request_id}/items").json()["data"]
    return dict(item)


def told(works: Works, kind: str, request_id: str) -> dict[str, Any]:
    (event,) = [one.event for one in works.line.events(kind) if one.event["request_id"] == request_id]
    return event
