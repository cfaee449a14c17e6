"""Campaign benchmark: rows a second accepted over HTTP, beside a plain insert of the same rows; memory of the API.

python -m bench.campaign [--rows 10000]     --quick: 2,000 rows

The API checks, screens and stores every row and its ledger event; the plain insert stores the same items with one
executemany in one transaction, unchecked. Same machine, same Postgres, one run. Plain rows have a short prompt that is
another one in every row, and columns that nobody uses. Descriptions are a tenth as many rows of a shop's export: a
text of eighty words with HTML, measures, accents and entities, which is cleaned.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
from sqlalchemy import create_engine, insert, text

from bench.result import Ratio, parser, report
from bench.system import wait_for_api
from deploy.embedded.environment import process_environment
from deploy.embedded.first_start import TENANT, prepare
from deploy.embedded.passwords import api_key_file
from deploy.embedded.stack import Stack
from workers.jobs.tables import items
from workers.jobs.types import new_id

REPOSITORY = Path(__file__).resolve().parent.parent
_AT_ONCE = {"PRESSWORK_CHECK_LATER_BYTES": str(2**40)}  # the check is in the answer, and is what is measured
_COLOURS = ("red", "blue", "green", "navy", "white", "yellow", "black")
_STUFFS = ("cotton", "leather", "oak", "steel", "linen")
_GOODS = ("dress", "sofa", "backpack", "car", "t-shirt", "guitar", "watch", "chair", "umbrella", "candle", "box")
_TEXT = (
    "this our premium hand-made soft water-resistant men's women's fit made from 100% organic cotton with a relaxed"
    " collar perfect for summer days machine wash cold 30° do not bleach size runs small imported two front pockets"
    " adjustable straps lightweight breathable durable stainless steel 500ml BPA-free dishwasher safe ideal gift kids"
    " birthday wedding anniversary modern design café crème naïve style 12.5 x 30 cm (4.9 x 11.8 in) weight 1.2kg"
)
_WORDS = _TEXT.split()
_PLAIN_SPEC = '{"template": "a {product} on a {background} background, product photo", "name": "bench"}'
_DESCRIBED_SPEC = (
    '{"template": "product photo of {Title}, {Option1 Value}, {Body (HTML)}", "name": "bench", "key": ["Variant SKU"],'
    ' "clean": {"Body (HTML)": ["html"]}}'
)
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
            env=process_environment(stack, "api", os.environ | _AT_ONCE),
            stderr=subprocess.DEVNULL,
        )
        try:
            plain, described = _measure(stack, api, rows)
        finally:
            api.terminate()
            api.wait()
    ratios = [
        Ratio("rows accepted over a plain insert", plain, tolerance=1.5),
        Ratio("rows of descriptions accepted over a plain insert", described, tolerance=1.5),
    ]
    report(ratios, asked.json)


def _measure(stack: Stack, api: subprocess.Popen[bytes], rows: int) -> tuple[float, float]:
    url = f"http://127.0.0.1:{stack.ports['api']}"
    process = psutil.Process(api.pid)
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {api_key_file(stack.data).read_text()}"}, timeout=300
    ) as client:
        wait_for_api(client)
        _submit(client, _plain_sheet(10), _PLAIN_SPEC, 10)
        _submit(client, _described_sheet(10), _DESCRIBED_SPEC, 10)
        idle = process.memory_info().rss
        plain = _timed(process, client, _plain_sheet(rows), _PLAIN_SPEC, rows)
        described = _timed(process, client, _described_sheet(rows // 10), _DESCRIBED_SPEC, rows // 10)
        peak = int(_status(api.pid, "VmHWM")) * 1024
    inserted = _plain_insert(stack, rows)
    print(f"{rows} rows, {os.cpu_count()} cores in the machine")
    for name, taken in (("plain rows", plain), ("descriptions", described)):
        print(f"{name:17} {1 / taken.seconds:8.0f} rows/s   {taken.cpu_seconds * 1000:.2f} CPU ms of the API a row")
    print(f"plain insert      {rows / inserted:8.0f} rows/s")
    print(f"API memory        {idle / 2**20:.0f} MiB before, {peak / 2**20:.0f} MiB at the most")
    return inserted / rows / plain.seconds, inserted / rows / described.seconds


class _Taken(NamedTuple):
    """Of one row."""

    seconds: float
    cpu_seconds: float


def _timed(process: psutil.Process, client: httpx.Client, sheet: bytes, spec: str, rows: int) -> _Taken:
    cpu, started = sum(process.cpu_times()[:2]), time.perf_counter()
    _submit(client, sheet, spec, rows)
    return _Taken((time.perf_counter() - started) / rows, (sum(process.cpu_times()[:2]) - cpu) / rows)


def _plain_sheet(rows: int) -> bytes:
    lines = (
        f"SKU-{n:06},{_COLOURS[n % 7]} {_STUFFS[n % 5]} {_GOODS[n % 11]} no. {n},{_COLOURS[n % 3]},active,{n % 90}.00\n"
        for n in range(rows)
    )
    return ("custom_id,product,background,Status,Price\n" + "".join(lines)).encode()


def _described_sheet(rows: int) -> bytes:
    """The same for the same number of rows; no two rows are equal."""
    draw = random.Random(1)
    lines = (
        f'item-{n},"{_COLOURS[n % 7].title()} {_STUFFS[n % 5].title()} {_GOODS[n % 11].title()} No. {n}",'
        f'"<p>{" ".join(draw.choices(_WORDS, k=56))}</p><ul>'
        f'{"".join(f"<li>{chr(32).join(draw.choices(_WORDS, k=6))} &amp; more</li>" for _ in range(4))}</ul>",'
        f"Northwind,NW-{n:06},{_COLOURS[n % 7]},active\n"
        for n in range(rows)
    )
    return ("Handle,Title,Body (HTML),Vendor,Variant SKU,Option1 Value,Status\n" + "".join(lines)).encode()


def _submit(client: httpx.Client, sheet: bytes, spec: str, rows: int) -> None:
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


def _status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
