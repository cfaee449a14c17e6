"""Reviewers benchmark: two people decide about held pictures by keyboard in Chromium, at human pace and at once.

python -m bench.reviewers [--holds 120] [--pace 3.6]     --quick: 16 holds, 0.6 s each

Each of the two looks at a picture for `--pace` seconds and presses a key: P releases it, X and a digit refuse it. Both
have the same queue open from the beginning. The program counts what the API answered and what Postgres has: decisions
an hour for each, decisions that the API refused because another person had decided, and pictures that were decided
twice. It ends with an error where one was decided twice or is left. 3.6 seconds each are 1,000 an hour.

The alternative is a person who never waits: the pace alone.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from playwright.sync_api import Response, sync_playwright
from sqlalchemy import text

from bench.grid import ARGUMENTS
from bench.result import Ratio, parser, report
from bench.served import ServedApi, served_api
from bench.stored import as_owner, new_request, store_items
from deploy.embedded.environment import settings_of
from workers.settings import Settings
from workers.store import ObjectStore, quarantine_key

PEOPLE = ("alice@example.com", "ben@example.com")
_FINDING = {
    "decision": "hold",
    "stage": "prompt",
    "category": "brands",
    "rule": "brands/characters",
    "score": None,
    "detail": "a character that somebody owns",
}
_HOLDS = text(
    """
    INSERT INTO holds (item_id, tenant, key, sha256, verdict, attempt, asset_id, watermark_id, provenance, renditions)
    SELECT i.id, i.tenant, :place || i.id || '/1/original.png', :sha256, i.verdict, 1, i.id, :first + i.row, '{}',
      jsonb_build_array(jsonb_build_object('name', 'original', 'key', :place || i.id || '/1/original.png',
        'media_type', 'image/png', 'width', 256, 'height', 256, 'bytes', :bytes, 'sha256', CAST(:sha256 AS text)))
    FROM items i WHERE i.request_id = :request AND i.state = 'held' RETURNING CAST(item_id AS text), tenant
    """
)


class Reviewed(NamedTuple):
    """What one person did: the statuses of the decisions that the page sent, and how long it took."""

    answers: list[int]
    seconds: float


def review(program: str, api: ServedApi, key: str, pace: float) -> Reviewed:
    """A person with a browser, until nothing waits. Each thread has a browser of its own."""
    answers: list[int] = []

    def answered(response: Response) -> None:
        request = response.request
        if request.method == "POST" and "/v1/reviews/" in request.url and not request.url.endswith("/claims"):
            answers.append(response.status)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        page = browser.new_context(locale="en").new_page()
        page.set_default_timeout(120_000)
        page.on("response", answered)
        page.goto(f"{api.url}/console/review")
        page.fill("#key", key)
        page.click("main button.primary")
        page.wait_for_selector("#name:not(:empty)")
        began, turn = time.monotonic(), 0
        while page.is_visible("#stage"):
            turn += 1
            page.wait_for_timeout(max(0.0, began + turn * pace - time.monotonic()) * 1000)
            for pressed in ("x", "1") if turn % 5 == 0 else ("p",):
                page.keyboard.press(pressed)
        seconds = time.monotonic() - began
        page.wait_for_timeout(5_000)  # the last decision may still be taken back
        browser.close()
    return Reviewed(answers, seconds)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--holds", type=int)
    options.add_argument("--pace", type=float)
    asked = options.parse_args()
    holds, pace = asked.holds or (16 if asked.quick else 120), asked.pace or (0.6 if asked.quick else 3.6)
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("Chromium is not installed")
    with served_api() as api:
        _hold(api, holds)
        keys = [_key(api, person) for person in PEOPLE]
        with ThreadPoolExecutor(len(keys)) as people:
            reviewers = list(people.map(lambda key: review(program, api, key, pace), keys))
        decided, twice, left = _decided(api)
    hours = [len(one.answers) / one.seconds * 3600 for one in reviewers]
    conflicts = sum(status == 409 for one in reviewers for status in one.answers)
    print(f"{holds:,} holds, {pace} s each: {', '.join(f'{one:,.0f}' for one in hours)} decisions an hour each")
    print(f"decided {decided:,}; twice {twice}; left {left}; refused because another person had decided {conflicts}")
    if twice or left or decided != holds:
        raise SystemExit("a picture was decided twice, or is left")
    report([Ratio("decisions an hour over the pace alone, the slower of two", min(hours) * pace / 3600)], asked.json)


def _key(api: ServedApi, person: str) -> str:
    with api.client() as client:
        made = client.post("/v1/keys", json={"name": person, "person": person, "scopes": ["read", "review"]})
    made.raise_for_status()
    return str(made.json()["key"])


def _hold(api: ServedApi, holds: int) -> None:
    """So many held pictures, with their bytes in quarantine."""
    written, draw = BytesIO(), np.random.default_rng(1)
    Image.fromarray(draw.integers(0, 256, (256, 256, 3), np.uint8)).save(written, "PNG")
    picture, request, engine = written.getvalue(), new_request(api), as_owner(api)
    verdict = {"decision": "hold", "policy_version": "-", "findings": [_FINDING], "scores": {"blank/blank": 0.1}}
    with engine.begin() as conn:
        store_items(conn, request, holds + 1, "held", verdict)
        tenant = conn.scalar(text("SELECT tenant FROM requests WHERE id = :id"), {"id": request})
        values: dict[str, Any] = {
            "request": request,
            "place": f"quarantine/{tenant}/",
            "sha256": hashlib.sha256(picture).hexdigest(),
            "bytes": len(picture),
            "first": 10_000_000,
        }
        made = conn.execute(_HOLDS, values).all()
    engine.dispose()
    of_worker: dict[str, Any] = dict(settings_of(api.stack, "worker"))
    store = ObjectStore(
        Settings(**{name.removeprefix("PRESSWORK_").lower(): value for name, value in of_worker.items()})
    )
    for item_id, of_tenant in made:
        store.put(quarantine_key(of_tenant, item_id, 1, "original", "image/png"), picture, "image/png")


def _decided(api: ServedApi) -> tuple[int, int, int]:
    """Pictures with a final decision, with two, and without one."""
    engine = as_owner(api)
    with engine.begin() as conn:
        counts = conn.execute(text("SELECT count(*) FROM reviews WHERE final GROUP BY item_id")).scalars().all()
        left = conn.scalar(text("SELECT count(*) FROM holds WHERE decided_at IS NULL"))
    engine.dispose()
    return len(counts), sum(count > 1 for count in counts), int(left or 0)


if __name__ == "__main__":
    main()
