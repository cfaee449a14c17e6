"""Sample of a real campaign: every process of the embedded stack runs, until all is released, indexed and sealed."""

from __future__ import annotations

import io
import time
from pathlib import Path

import psycopg

from bench.scale.clones import one
from deploy.client import Client
from deploy.embedded import background
from deploy.embedded.stack import Stack

_GOODS = ("backpack", "red car", "guitar", "watch", "umbrella", "candle", "sofa", "t-shirt")
_GROUNDS = ("white", "grey", "blue", "beige", "green", "pink", "yellow", "orange")
_SECONDS = 300.0
# Nothing is open, every released picture is indexed, and every entry is sealed.
_OPEN = (
    "select (select count(*) from items where state in ('pending', 'planned')) + (select count(*) from unindexed)"
    " + (select count(*) from audit.pending)"
)


def make(data: Path, images: int) -> int:
    """A stopped stack in `data` that has made a campaign of about `images`; how many were released."""
    state = background.start(data, report=lambda phase: print(f"  {phase}", flush=True))
    try:
        rows = [f"sku-{number},{_GOODS[number % 8]},{_GROUNDS[number // 8 % 8]}" for number in range(1, images + 1)]
        sheet = io.BytesIO("\n".join(["sku,product,background", *rows]).encode())
        with Client.of(data) as client:
            spec = {
                "name": "sample",
                "template": "{product} on a {background} background",
                "upscale": 4,
                "key": ["sku"],
            }
            request = client.submit_campaign(sheet, spec)["id"]
            for _ in client.watch(request):
                pass
        dsn = Stack.attached(data, state.ports).postgres.url("superuser").replace("+psycopg", "", 1)
        with psycopg.connect(dsn, autocommit=True) as conn:
            until = time.monotonic() + _SECONDS
            while one(conn, _OPEN):
                if time.monotonic() > until:
                    raise SystemExit("the sample was not settled, indexed and sealed in time")
                time.sleep(0.5)
            return int(one(conn, "select count(*) from assets"))
    finally:
        background.stop(data, report=lambda _: None)
