"""Diagnoses of an examination, and the errors of services in words."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from botocore.exceptions import ClientError


class Health(StrEnum):
    """How one thing stands. Only WRONG makes the examination fail."""

    OK = "ok"
    UNKNOWN = "unknown"  # this login may not look
    WARNING = "warning"
    WRONG = "wrong"


class Diagnosis(NamedTuple):
    """What was looked at, how it stands, what was found there, and what mends it. Holds no secret."""

    subject: str
    state: Health
    found: str
    remedy: str = ""


Diagnoses = Iterator[Diagnosis]


def ok(subject: str, found: str) -> Diagnosis:
    return Diagnosis(subject, Health.OK, found)


def unknown(subject: str, found: str) -> Diagnosis:
    return Diagnosis(subject, Health.UNKNOWN, found)


def warning(subject: str, found: str, remedy: str) -> Diagnosis:
    return Diagnosis(subject, Health.WARNING, found, remedy)


def wrong(subject: str, found: str, remedy: str) -> Diagnosis:
    return Diagnosis(subject, Health.WRONG, found, remedy)


def clock(subject: str, ahead_seconds: float) -> Diagnosis:
    """A difference to the clock of a service: S3 refuses signatures above 15 minutes, and people compare log lines."""
    off = abs(ahead_seconds)
    if off <= _CLOCK_SECONDS:
        return ok(subject, f"within {_CLOCK_SECONDS} s of this machine's")
    found = f"{off:,.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'} this machine's"
    judge = warning if off < _CLOCK_WRONG_SECONDS else wrong
    return judge(subject, found, "set both clocks by NTP")


def in_words(error: BaseException) -> str:
    """The text of an error on one line; of a database error the driver's own words."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    return text or type(error).__name__


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer of S3; 0 where it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


_CLOCK_SECONDS = 5
_CLOCK_WRONG_SECONDS = 300
