"""Secrets of commands: from a file or a variable, never from an argument, which other users of the machine can read."""

from __future__ import annotations

import os
from pathlib import Path

import click


def secret_of(file: Path | None, variable: str) -> str:
    """Raises UsageError where there is none."""
    secret = file.read_text().strip() if file else os.environ.get(variable, "")
    if not secret:
        raise click.UsageError(f"there is no secret. Give --secret-file, or set {variable}")
    return secret
