"""Errors of spreadsheets.

SheetInvalid    the file cannot be read, or not read on from here
"""

from __future__ import annotations


class SheetInvalid(ValueError):
    """A file that cannot be read: a stable code, what is wrong, what to do, and the line or column."""

    def __init__(
        self, code: str, message: str, remedy: str, *, line: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy, self.line, self.column = code, message, remedy, line, column
