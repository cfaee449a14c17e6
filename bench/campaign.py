"""Campaign benchmark: rows a second accepted over HTTP, beside a plain insert of the same rows; memory of the API.

python -m bench.campaign [--rows 10000]     --quick: 2,000 rows

The API checks, screens and stores every row and its ledger event; the plain insert stores the same items with one
executemany in one transaction, unchecked. Same machine, same Postgres, one run. The rows are shaped as those of a shop:
every prompt is another one, and the file has columns that nobody uses.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
from sqlalchemy import create_engine, insert, text

from bench.result import Ratio, parser, report
from deploy.embedded.environment import process_environment
from deploy.embedded.first_start import TENANT, api_key_file, prepare
from deploy.embedded.stack import Stack
from workers.jobs.tables import items
from workers.jobs.types import new_id

REPOSITORY = Path(__file__).resolve().parent.parent
_COLOURS = ("red", "blue", "green", "navy", "white", "yellow", "black")
_STUFFS = ("cotton", "leather", "oak", "steel", "linen")
_GOODS = ("dress", "sofa", "backpack", "car", "t-shirt", "guitar", "watch", "chair", "umbrella", "candle", "box")
_COLUMNS = "id::text, request_id::text, tenant, row, custom_id, variant, prompt, negative_prompt, seed, recipe_id"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rows", type=int)
    asked = options.parse_args()
    rows = asked.rows or (2_000 if asked.quick else 10_000)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Stack(Path(folder), ports={}) as stack:
        prepare(stack)
        api = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=REPOSITORY,
            env=process_environment(stack, "api", os.environ),
            stderr=subprocess.DEVNULL,
        )
        try:
            ratio = _measure(stack, api, rows)
        finally:
            api.terminate()
            api.wait()
    report([Ratio("rows accepted over a plain insert", ratio)], asked.json)


def _measure(stack: Stack, api: subprocess.Popen[bytes], rows: int) -> float:
    url = f"http://127.0.0.1:{stack.ports['api']}"
    process = psutil.Process(api.pid)
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {api_key_file(stack.data).read_text()}"}, timeout=300
    ) as client:
        _wait(client)
        _submit(client, 10)
        idle = process.memory_info().rss
        cpu, started = sum(process.cpu_times()[:2]), time.perf_counter()
        _submit(client, rows)
        through_api, cpu = time.perf_counter() - started, sum(process.cpu_times()[:2]) - cpu
        peak = int(_status(api.pid, "VmHWM")) * 1024
    plain = _plain_insert(stack, rows)
    print(f"{rows} rows, {os.cpu_count()} cores in the machine")
    print(f"through the API   {rows / through_api:8.0f} rows/s   {cpu / rows * 1000:.2f} CPU ms of the API a row")
    print(f"plain insert      {rows / plain:8.0f} rows/s")
    print(f"API memory        {idle / 2**20:.0f} MiB before, {peak / 2**20:.0f} MiB at the most")
    return plain / through_api


def _submit(client: httpx.Client, rows: int) -> None:
    lines = (
        f"SKU-{n:06},{_COLOURS[n % 7]} {_STUFFS[n % 5]} {_GOODS[n % 11]} no. {n},{_COLOURS[n % 3]},active,{n % 90}.00\n"
        for n in range(rows)
    )
    sheet = io.BytesIO(("custom_id,product,background,Status,Price\n" + "".join(lines)).encode())
    spec = '{"template": "a {product} on a {background} background, product photo", "name": "bench"}'
    reply = client.post("/v1/campaigns", files={"file": ("c.csv", sheet, "text/csv"), "spec": (None, spec)})
    if reply.status_code != 202 or reply.json()["items"] != rows:
        raise SystemExit(f"not accepted: {reply.status_code} {reply.text[:500]}")


def _plain_insert(stack: Stack, rows: int) -> float:
    """Seconds for the same rows again, with other ids, by one executemany."""
    engine = create_engine(stack.postgres.url("api"))
    with engine.begin() as conn:
        conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": TENANT})
        stored = conn.execute(
            text(f"select {_COLUMNS}, queue, priority, state from items order by created_at desc limit :rows"),
            {"rows": rows},
        )
        again = [{**row._mapping, "id": new_id(), "custom_id": f"again-{row.custom_id}"} for row in stored]
        started = time.perf_counter()
        conn.execute(insert(items), again)
    engine.dispose()
    return time.perf_counter() - started


def _wait(client: httpx.Client) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            client.get("/healthz").raise_for_status()
            return
        except httpx.HTTPError as error:
            if time.monotonic() > until:
                raise SystemExit("the API did not start") from error
            time.sleep(0.1)


def _status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
