"""Revocation lists in the object store: ledger/revocations/<log>/<countdown>-<sequence>, write-once, newest first.

The sealer puts them, the API and the commands read them.
"""

from __future__ import annotations

from urllib.parse import quote

from policy.errors import BrokenLedger
from workers.store import ObjectStore

PREFIX = "ledger/revocations"
MEDIA_TYPE = "text/plain; charset=utf-8"
_DIGITS = 19  # of 2^63
_COUNTDOWN = 10**_DIGITS - 1


class RevocationLists:
    """Where the lists of one log lie. Raises StoreUnavailable where waiting helps."""

    def __init__(self, store: ObjectStore, origin: str) -> None:
        self._store = store
        self._prefix = f"{PREFIX}/{quote(origin, safe='/')}/"

    def newest(self) -> str | None:
        """The newest list as it was signed, None before the first."""
        first = next(self._store.list(self._prefix, page_size=1), None)
        if first is None:
            return None
        try:
            return self._store.get(first.key).decode()
        except UnicodeDecodeError as error:
            raise BrokenLedger(f"{first.key} is not a revocation list: {error}") from error

    def put(self, sequence: int, content: str) -> None:
        """Keep a list for good. Raises DigestMismatch if another one has this number."""
        key = f"{self._prefix}{_COUNTDOWN - sequence:0{_DIGITS}}-{sequence}"
        self._store.put(key, content.encode(), MEDIA_TYPE)
