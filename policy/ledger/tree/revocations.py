"""Revocation list: the signed list of recalled files, so that anyone who holds a file can check it offline.

A list is a signed note (c2sp.org/signed-note), an empty line, and one line a file: "<sha256> <asset id>", sorted.

    presswork.example/ledger/revocations        the log, and that this is no checkpoint of it
    sequence 7                                  one more than the list before
    issued 2026-11-21T15:04:05.000000Z          the database's clock
    checkpoint 4711                             it names what `asset.recalled` says in the first 4711 leaves, no more
    files 2000
    list sha256:...                             of the lines below, byte for byte

It is a function of the sealed log: anyone who has the log computes the same lines. Writing them costs the sealer one
query of a view of ids and digests. Nothing here is secret: a digest says nothing about a picture to a reader who does
not have it. A file that is not listed may still be a resized copy of a listed one, which a list cannot find.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, text

from policy.errors import BrokenLedger, ListTooOld
from policy.ledger.append import timestamp
from policy.ledger.tree.notes import NoteSigner, Vkey, open_note, sign_note

SUFFIX = "/revocations"
_TEXT = re.compile(
    r"(?P<origin>\S+)/revocations\n"
    r"sequence (?P<sequence>[1-9]\d{0,17})\n"
    r"issued (?P<issued>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n"
    r"checkpoint (?P<checkpoint>[1-9]\d{0,17})\n"
    r"files (?P<files>0|[1-9]\d{0,17})\n"
    r"list sha256:(?P<digest>[0-9a-f]{64})\n"
)
_LINE = re.compile(r"[0-9a-f]{64} [0-9a-f-]{36}")
# A body that was made unreadable gives no asset: verification names it, and the list is made without.
_REVOKED = "SELECT asset_id, sha256 FROM audit.revoked WHERE index < :size AND asset_id IS NOT NULL"
_NEWER = "SELECT EXISTS (SELECT FROM audit.revoked WHERE index >= :since AND index < :size)"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list whose signature and digest were checked."""

    origin: str
    sequence: int
    issued_at: datetime
    checkpoint: int  # size of the tree it belongs to
    lines: tuple[str, ...]

    def asset_of(self, sha256: str) -> str | None:
        """The recalled asset that this file belonged to; None if the file is not listed."""
        return next((line[65:] for line in self.lines if line.startswith(f"{sha256} ")), None)

    def names(self, asset_id: str) -> bool:
        """Whether any file of this asset is listed."""
        return any(line.endswith(f" {asset_id}") for line in self.lines)


def issue(signer: NoteSigner, *, sequence: int, issued_at: datetime, checkpoint: int, lines: Sequence[str]) -> str:
    """The whole list, signed. `lines` are those of `lines_of`."""
    listing = _listing(lines)
    said = (
        f"{signer.vkey.name}{SUFFIX}\nsequence {sequence}\nissued {timestamp(issued_at)}\ncheckpoint {checkpoint}\n"
        f"files {len(lines)}\nlist sha256:{hashlib.sha256(listing).hexdigest()}\n"
    )
    return f"{sign_note(said, signer)}\n{listing.decode()}"


def open_list(content: str, vkeys: Iterable[Vkey], *, at_least: int = 0) -> RevocationList:
    """The list, once its signature, its digest and its order are checked. Needs no network and no database.

    Raises UnknownKey if no trusted key signed it, BrokenLedger if it was edited or cut, and ListTooOld if its
    sequence number is below `at_least`, the newest that the caller knows of.
    """
    signed, blank, rest = content.partition("\n\n")
    signatures, second_blank, listing = rest.partition("\n\n")
    if not blank or not second_blank:
        raise BrokenLedger("not a whole revocation list: a signed note, an empty line and the list are expected")
    told = _TEXT.fullmatch(f"{signed}\n")
    if told is None:
        raise BrokenLedger(f"the signed text is no revocation list: {signed[:120]!r}")
    _, signers = open_note(f"{signed}\n\n{signatures}\n", _in_use(vkeys, int(told["checkpoint"])))
    if told["origin"] not in signers:
        raise BrokenLedger(f"a list of the log {told['origin']!r} is signed by the key of {', '.join(signers)}")
    lines = tuple(listing.split("\n")[:-1])
    if hashlib.sha256(listing.encode()).hexdigest() != told["digest"] or len(lines) != int(told["files"]):
        raise BrokenLedger(
            f"the list was edited or cut: {len(lines):,} lines that are not the {int(told['files']):,} that were signed"
        )
    if any(not _LINE.fullmatch(line) for line in lines) or any(a >= b for a, b in pairwise(lines)):
        raise BrokenLedger("the lines of the list are not sorted digests with asset ids")
    if int(told["sequence"]) < at_least:
        raise ListTooOld(f"this is list {told['sequence']} of {told['issued']}, and list {at_least} is known to exist")
    issued_at = datetime.strptime(told["issued"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return RevocationList(told["origin"], int(told["sequence"]), issued_at, int(told["checkpoint"]), lines)


def lines_of(conn: Connection, size: int) -> list[str]:
    """The lines of a list for the first `size` leaves, sorted."""
    rows: Iterable[Any] = conn.execution_options(yield_per=1_000).execute(text(_REVOKED), {"size": size})
    named = {f"{digest} {row.asset_id}" for row in rows for digest in row.sha256}
    return sorted(line for line in named if _LINE.fullmatch(line))


def newer(conn: Connection, *, since: int, size: int) -> bool:
    """Whether the leaves from `since` on, below `size`, recalled anything."""
    return bool(conn.execute(text(_NEWER), {"since": since, "size": size}).scalar_one())


def _in_use(vkeys: Iterable[Vkey], checkpoint: int) -> list[Vkey]:
    """The keys that had not ended at this size: one that was retired, or stolen later, signs no newer list."""
    return [vkey for vkey in vkeys if vkey.until is None or checkpoint <= vkey.until]


def _listing(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
