"""Catalogue benchmark: seconds of a plan of a large feed of which little changed, beside a campaign's check of it.

python -m bench.catalogue [--rows 100000]     --quick: 4,000 rows

The feed is made here: a SKU, a title, a colour, a description with HTML, a price and a stock. Every row is live before,
as after a first run; then one row in a hundred has another colour, all have other prices, and the columns are turned
around. The plan must find exactly these rows. Beside it stands what somebody does without a plan: the same rows checked
whole, as `POST /v1/campaigns` does, for as many as a campaign may have. Same machine, same Postgres, one run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import create_engine, text

from bench.result import Ratio, parser, report
from bench.system import wait_for_api
from deploy.embedded.environment import process_environment
from deploy.embedded.first_start import prepare
from deploy.embedded.passwords import api_key_file
from deploy.embedded.stack import Stack

REPOSITORY = Path(__file__).resolve().parent.parent
_AT_ONCE = {"PRESSWORK_CHECK_LATER_BYTES": str(2**40)}  # the check is in the answer, and is what is measured
_COLOURS = ("red", "blue", "green", "navy", "white", "yellow", "black")
_GOODS = ("dress", "sofa", "backpack", "car", "guitar", "watch", "chair", "umbrella", "candle", "box")
_WORDS = ("soft", "hand-made", "relaxed", "summer", "organic", "cotton", "steel", "café", "12.5", "straps", "light")
_TEMPLATE = "product photo of {title}, {colour}, {text}"
_SPEC: dict[str, Any] = {
    "name": "bench",
    "key": "sku",
    "clean": {"text": ["html", "words:20"]},
    "make": {"template": _TEMPLATE},
}
_CHECKED_ROWS = 2_000  # of the campaign beside it
# As a first run leaves it, without drawing a picture of each row.
_LIVE = text(
    """
    INSERT INTO catalogue_slots (catalogue_id, key, view, tenant, asset_id, item_id, run, picture_digest,
                                 delivery_digest, parts)
    SELECT p.catalogue_id, c.key, c.view, c.tenant, gen_random_uuid(), gen_random_uuid(), 1, c.picture_digest,
           c.delivery_digest, c.parts
    FROM catalogue_changes c JOIN catalogue_plans p ON p.id = c.plan_id WHERE c.kind = 'create'
    """
)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rows", type=int)
    asked = options.parse_args()
    rows = asked.rows or (4_000 if asked.quick else 100_000)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Stack(Path(folder), ports={}) as stack:
        prepare(stack)
        api = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=REPOSITORY,
            env=process_environment(stack, "api", os.environ | _AT_ONCE),
            stderr=subprocess.DEVNULL,
        )
        try:
            ratio = _measure(stack, api, rows)
        finally:
            api.terminate()
            api.wait()
    report([Ratio("rows planned over rows checked as a campaign", ratio)], asked.json)


def _measure(stack: Stack, api: subprocess.Popen[bytes], rows: int) -> float:
    url, key = f"http://127.0.0.1:{stack.ports['api']}", api_key_file(stack.data).read_text()
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=600) as client:
        wait_for_api(client)
        first, made = _plan(client, _feed(rows, changed=False))
        _demand(made, {"create": rows, "keep": 0})
        engine = create_engine(stack.postgres.url("owner"))
        with engine.begin() as conn:
            conn.execute(_LIVE)
        engine.dispose()
        idle = psutil.Process(api.pid).memory_info().rss
        second, made = _plan(client, _feed(rows, changed=True))
        _demand(made, {"change": -(-rows // 100), "keep": rows - -(-rows // 100)})
        checked = _check(client, min(rows, _CHECKED_ROWS))
    peak = psutil.Process(api.pid).memory_info().rss
    print(f"{rows:,} rows, {os.cpu_count()} cores in the machine")
    print(f"first plan        {first:8.1f} s   {rows / first:8,.0f} rows/s")
    print(f"1 % changed       {second:8.1f} s   {rows / second:8,.0f} rows/s   0 needless pictures")
    print(f"campaign check    {'':8}     {checked:8,.0f} rows/s")
    print(f"API memory        {idle / 2**20:.0f} MiB before the second plan, {peak / 2**20:.0f} MiB after it")
    return rows / second / checked


def _feed(rows: int, *, changed: bool) -> bytes:
    draw = random.Random(1)
    lines = []
    for n in range(rows):
        words = " ".join(draw.choices(_WORDS, k=40))
        colour = "orange" if changed and n % 100 == 0 else _COLOURS[n % 7]
        cells = [f"SKU-{n:06}", f"{_GOODS[n % 10]} no. {n}", colour, f'"<p>{words}</p>"', f"{n % 90}.{changed:d}0"]
        lines.append(",".join(reversed(cells) if changed else cells))
    names = ["sku", "title", "colour", "text", "price"]
    return "\n".join([",".join(reversed(names) if changed else names), *lines, ""]).encode()


def _plan(client: httpx.Client, feed: bytes) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    files: dict[str, Any] = {"file": ("feed.csv", feed, "text/csv"), "catalogue": (None, json.dumps(_SPEC))}
    reply = client.post("/v1/catalogues/bench/plans", files=files)
    if reply.status_code != 202:
        raise SystemExit(f"not accepted: {reply.status_code} {reply.text[:500]}")
    plan: dict[str, Any] = reply.json()
    while plan["state"] == "planning":
        time.sleep(0.1)
        plan = client.get(f"/v1/catalogues/bench/plans/{plan['id']}").json()
    return time.perf_counter() - started, plan


def _check(client: httpx.Client, rows: int) -> float:
    """Rows a second."""
    spec = {"template": _TEMPLATE, "key": "sku", "clean": _SPEC["clean"], "dry_run": True}
    started = time.perf_counter()
    feed: dict[str, Any] = {
        "file": ("feed.csv", _feed(rows, changed=False), "text/csv"),
        "spec": (None, json.dumps(spec)),
    }
    reply = client.post("/v1/campaigns", files=feed)
    if reply.status_code != 200:
        raise SystemExit(f"not checked: {reply.status_code} {reply.text[:500]}")
    return rows / (time.perf_counter() - started)


def _demand(plan: dict[str, Any], counts: dict[str, int]) -> None:
    if plan["state"] != "ready" or plan["counts"] != counts:
        raise SystemExit(f"the plan is wrong: {plan['state']} {plan['counts']} {plan['errors']}")


if __name__ == "__main__":
    main()
