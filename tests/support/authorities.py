"""Certificate authorities, read once a process: httpx reads them for every client, with 36 ms of CPU each time."""

from __future__ import annotations

import os
import ssl
import sys
from typing import Any


def read_once() -> None:
    """Give httpx, where a test module imported it, one context for all clients that ask for nothing else."""
    if (httpx := sys.modules.get("httpx")) is None:
        return
    read = httpx.create_ssl_context
    kept: dict[tuple[str | None, ...], ssl.SSLContext] = {}

    def context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert is not None or not trust_env:
            return read(verify=verify, cert=cert, trust_env=trust_env)
        where = tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
        if where not in kept:
            kept[where] = read()
        return kept[where]

    httpx.create_ssl_context = httpx._transports.default.create_ssl_context = context
