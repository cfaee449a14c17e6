"""Scale benchmark: a database of so many images, copied from a real sample, and what the hot paths cost on it.

    python -m bench.scale --images 1000000 [--sample 64] [--folder FOLDER]

An image takes about 15 kB of disk and an hour of a core makes some millions. Nothing is compared, so it is none of
bench.all; docs/scale.md has what was seen.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from bench.scale import costs, sample
from bench.scale.clones import Clones, one
from deploy.embedded.environment import LEDGER_ORIGIN, key_folder
from deploy.embedded.stack import Stack
from policy.ledger.tree.keys import LocalNoteSigner
from workers import logs

# A synthetic database may be lost. Memory as a small server would give it.
_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "8GB",
    "shared_buffers": "1GB",
    "maintenance_work_mem": "512MB",
}
_KEPT = 50_000  # leaves after the kept head
_IMAGES_A_DAY = 1_000_000  # the pace at which clones follow each other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000, help="how many the database is to hold")
    parser.add_argument("--sample", type=int, default=64, help="images of the real campaign that is copied")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: a temporary folder")
    asked = parser.parse_args()
    logs.configure("WARNING", "bench")
    folder = Path(tempfile.mkdtemp(prefix="presswork-scale-", dir=asked.folder))
    try:
        _run(folder / "stack", asked.images, asked.sample)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(data: Path, wanted: int, sampled: int) -> None:
    with costs.heading(f"A real campaign of {sampled} images"):
        released = sample.make(data, sampled)
        print(f"  {released} released")
    with Stack(data, ports={}, postgres_options=_OPTIONS) as stack:
        clones = Clones(
            stack.postgres.url("superuser").replace("+psycopg", "", 1),
            timedelta(milliseconds=round(86_400_000 * released / _IMAGES_A_DAY)),
        )
        signer = LocalNoteSigner.from_file(key_folder(data).ledger_key, name=LEDGER_ORIGIN)
        with costs.heading("Clones of it"):
            clones.make(wanted // released - 1, lambda words: print(f"  {words}", flush=True))
            images, entries = (
                one(clones.conn, f"select count(*) from {table}") for table in ("assets", "audit.entries")
            )
            print(f"  {images:,} images, {entries:,} entries of the ledger")
        with costs.heading("The ledger's tree over them"):
            clones.sign(signer, _KEPT)
            clones.conn.execute("vacuum analyze")
        with costs.heading("Size"):
            costs.sizes(clones.conn, images)
        with costs.heading("Planner"):
            costs.planning(stack, clones.conn, (1, 2, 4))
        with costs.heading("Ledger"):
            costs.sealing(stack, signer, _KEPT)
            costs.verification(stack, signer, _KEPT)
        with costs.heading("Identify"):
            costs.index(stack)
        with costs.heading("Pages of the API"):
            costs.pages(stack, clones.conn)


if __name__ == "__main__":
    main()
