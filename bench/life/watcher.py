"""Watcher of a request's events: writes each id to a file as it comes, and goes on behind the last after a kill.

python -m bench.life.watcher URL FILE     with the key in PRESSWORK_KEY

Killed anywhere, the file ends in a whole line or in a part of one; a part was not kept, and is asked for again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx

_AGAIN_SECONDS = 0.2


def kept(file: Path) -> list[int]:
    """The ids of the whole lines of a watcher's file."""
    text = file.read_text() if file.exists() else ""
    return [int(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def main() -> None:
    url, file = sys.argv[1], Path(sys.argv[2])
    while True:
        ids = kept(file)
        file.write_text("".join(f"{id}\n" for id in ids))  # without the part of a line
        headers = {"Authorization": f"Bearer {os.environ['PRESSWORK_KEY']}"}
        if ids:
            headers["Last-Event-ID"] = str(ids[-1])
        try:
            if not _followed(url, headers, file):
                return
        except httpx.HTTPError:
            pass
        time.sleep(_AGAIN_SECONDS)


def _followed(url: str, headers: dict[str, str], file: Path) -> bool:
    """Whether there may be more. 204: the request is over, and everything was read."""
    with httpx.stream("GET", url, headers=headers, timeout=60) as answer, file.open("a") as out:
        if answer.status_code == 204:
            return False
        for line in answer.iter_lines():
            if line.startswith("id: "):
                out.write(line.removeprefix("id: ") + "\n")
                out.flush()
    return True


if __name__ == "__main__":
    main()
