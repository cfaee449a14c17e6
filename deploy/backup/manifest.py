"""Manifest of a dump: its digest, the revision, the head of the ledger, and how many rows of what people ask about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, func, select, table, text

from deploy.errors import DataUnusable

DUMP = "database.dump"
MANIFEST = "manifest.json"
FORMAT = 1
_COUNTED = ("tenants", "requests", "items", "assets", "audit.entries", "audit.pending", "audit.checkpoints")
_HEAD = "select size, encode(root, 'hex') as root from audit.checkpoints order by size desc limit 1"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds, as far as a manifest says it."""

    revision: str
    size: int  # leaves of the newest signed head, 0 before the first
    root: str | None  # of that head, hexadecimal
    rows: dict[str, int]  # by table

    @classmethod
    def of(cls, conn: Connection) -> Contents:
        """Read in the caller's transaction, by a login that row-level security does not narrow."""
        head = conn.execute(text(_HEAD)).one_or_none()
        return cls(
            str(conn.scalar(text("select version_num from public.alembic_version"))),
            head.size if head else 0,
            head.root if head else None,
            {name: int(conn.scalar(_count(name)) or 0) for name in _COUNTED},
        )


@dataclass(frozen=True, slots=True)
class DumpManifest:
    """One dump."""

    sha256: str
    bytes: int
    taken_at: str  # ISO 8601, the clock of the server
    server: str  # its version
    contents: Contents

    def write(self, folder: Path) -> None:
        """Whole or not at all, after the dump: a folder without it holds no backup."""
        half = folder / f".{MANIFEST}.half"
        half.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n")
        half.replace(folder / MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> DumpManifest:
        """Raises DataUnusable where there is none or it cannot be read."""
        path = folder / MANIFEST
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            if values.pop("format") != FORMAT:
                raise DataUnusable(f"{path} is of another format. Remedy: use the version that wrote it")
            return cls(**{**values, "contents": Contents(**values["contents"])})
        except FileNotFoundError as error:
            raise DataUnusable(f"{folder} holds no finished backup: {MANIFEST} is not there") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataUnusable(f"{path} cannot be read: {error}") from error


def _count(name: str) -> Select[Any]:
    schema, _, plain = name.rpartition(".")
    return select(func.count()).select_from(table(plain, schema=schema or "public"))
