"""Line: one thread draws batch after batch while others mark what was drawn, as the threads of a worker do.

Marked for real: watermark, encoding, signature and the look at the final bytes, of a picture of a product in the place
of the noise that random weights draw. Screening, stores and the ledger need services and are not here;
`python -m bench.throughput` has them.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.gpu.rig import Draw
from policy.marks.marker import Marker
from policy.marks.provenance.certificates import make_development_chain
from policy.marks.provenance.signing import LocalSigner
from policy.marks.stamp import Stamp
from tests.support.pictures import product
from workers.sampling.types import Pixels


class Passed(NamedTuple):
    """What a run of the line took."""

    images: int
    wall: float
    drawing: float  # seconds in which the lock would be held


def run(draw: Draw, *, batches: int, batch: int, threads: int) -> Passed:
    """`threads` are those of a worker: one draws while the others mark a batch each."""
    with tempfile.TemporaryDirectory() as folder:
        chain = make_development_chain(Path(folder))
        signer, anchors = LocalSigner.from_files(chain.certificate, chain.key), chain.anchors.read_text()
    marker = Marker(signer, anchors, "Presswork", "bench")
    draw(batch)
    open_batches: deque[Future[None]] = deque()
    drawing, started = 0.0, time.perf_counter()
    with ThreadPoolExecutor(max(1, threads - 1)) as pool:
        for _ in range(batches):
            began = time.perf_counter()
            _, height, width, _ = draw(batch).shape
            drawing += time.perf_counter() - began
            open_batches.append(pool.submit(_mark, marker, batch, product(width, height)))
            if len(open_batches) >= threads:
                open_batches.popleft().result()
        while open_batches:
            open_batches.popleft().result()
    return Passed(batches * batch, time.perf_counter() - started, drawing)


def _mark(marker: Marker, images: int, picture: Pixels) -> None:
    for n in range(images):
        stamp = Stamp(f"a{n}", n + 1, "random", "sha256:0", "sha256:0", datetime(2026, 1, 1, tzinfo=UTC), "log.example")
        marker.mark(picture, stamp)
