"""Secrets folder: one file for each secret, mode 0600, as Compose and Kubernetes mount them.

    <role>/password        of the login presswork_<role>
    <role>/url             PRESSWORK_DATABASE_URL of the role, written when the login works

A password is on disk before the server is told it. Killed in between, the next run tells the server the same password.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from deploy.errors import DataUnusable


class Secrets:
    """The secrets below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def password(self, role: str) -> str:
        """The password of a role's login: the stored one, or a new one that is stored first."""
        path = self.folder / role / "password"
        try:
            stored = path.read_text().strip()
        except FileNotFoundError:
            stored = secrets.token_urlsafe(32)
            self.write(role, "password", stored)
        if not stored:
            raise DataUnusable(f"{path} is empty. Remedy: delete it, and a new password is made")
        return stored

    def write(self, role: str, name: str, value: str) -> Path:
        """Store one secret, whole or not at all."""
        path = self.folder / role / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = path.with_name(f".{name}.half")
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        return path
