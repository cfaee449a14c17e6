"""Revocation lists made by hand: a good one, and what a forger may do to it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from policy.ledger.tree.revocations import issue
from tests.support.ledger import ORIGIN, new_signer
from workers.jobs.types import new_id

AT = datetime(2026, 11, 21, 15, 4, 5, 123456, tzinfo=UTC)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


LINES = sorted(f"{digest(name)} {new_id()}" for name in "abc")
SIGNER = new_signer()
GOOD = issue(SIGNER, sequence=7, issued_at=AT, checkpoint=40, lines=LINES)
OTHERS = issue(new_signer(), sequence=7, issued_at=AT, checkpoint=40, lines=LINES)
OF_ANOTHER_LOG = issue(new_signer("another.example/log"), sequence=7, issued_at=AT, checkpoint=40, lines=LINES)

TAMPERED = {
    "a digest changed": GOOD.replace(LINES[1][:64], digest("x")),
    "an asset changed": GOOD.replace(LINES[1][65:], new_id()),
    "a line taken out": GOOD.replace(LINES[1] + "\n", ""),
    "a line added": GOOD + LINES[0] + "\n",
    "lines swapped": GOOD.replace(f"{LINES[0]}\n{LINES[1]}\n", f"{LINES[1]}\n{LINES[0]}\n"),
    "cut in a line": GOOD[:-10],
    "cut after a line": GOOD[: -len(LINES[2]) - 1],
    "cut to its head": GOOD.partition("\n\n")[0],
    "cut to its note": GOOD[: -sum(len(line) + 1 for line in LINES) - 1],
    "another sequence number": GOOD.replace("sequence 7", "sequence 8"),
    "another time": GOOD.replace("issued 2026", "issued 2027"),
    "another checkpoint": GOOD.replace("checkpoint 40", "checkpoint 41"),
    "another number of files": GOOD.replace("files 3", "files 2"),
    "a head of its own lines": GOOD.replace(
        GOOD[GOOD.index("list ") : GOOD.index("\n\n")], f"list sha256:{digest('')}"
    ),
    "no signature": GOOD.replace("\u2014 ", "- "),
    "nothing": "",
    "not a list": "\x00\x01",
    "blank lines": "\n" * 50,
    "a checkpoint of the log": f"{ORIGIN}\n40\n" + "A" * 43 + "=\n\n\u2014 x AAAA\n\n",
}
