"""Passwords: one random secret per role and service, made on first start, in a file that only its owner can read.

The first tenant's API keys lie beside it, in files of their own.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DataUnusable

DATABASE_ROLES = ("owner", "api", "worker", "sealer", "auditor", "clerk", "identify")  # Postgres: presswork_<role>
S3_ROLES = ("admin", "api", "worker", "sealer", "auditor", "clerk", "identify")
_NAMES = (
    "postgres.superuser",
    *(f"postgres.{role}" for role in DATABASE_ROLES),
    "valkey",
    *(f"s3.{role}" for role in S3_ROLES),
    *(f"seaweed.{channel}" for channel in ("volume_write", "volume_read", "filer_write", "filer_read")),
)


@dataclass(frozen=True, slots=True)
class S3Identity:
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class Passwords:
    """Secrets by name, such as "postgres.worker". Never printed, never on a command line."""

    by_name: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.by_name[name]

    def s3(self, role: str) -> S3Identity:
        return S3Identity(access_key=f"presswork-{role}", secret_key=self[f"s3.{role}"])

    def __repr__(self) -> str:
        return "Passwords(...)"


def load_or_make(path: Path) -> Passwords:
    """The secrets in `path`. Missing ones are made and written first, all or none."""
    try:
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise DataUnusable(f"cannot read {path} ({error}). Remedy: restore the file, or use a new --data") from error
    by_name = {name: known.get(name) or secrets.token_urlsafe(24) for name in _NAMES}
    if by_name != known:
        half = path.with_suffix(".half")
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            json.dump(by_name, file, indent=1)
        half.replace(path)
    return Passwords(by_name)


def api_key_file(data: Path) -> Path:
    """The file with the first tenant's API key."""
    return data / "api.key"


def reviewer_key_file(data: Path) -> Path:
    """The file with the key of the first tenant's reviewer."""
    return data / "reviewer.key"
