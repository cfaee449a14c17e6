"""Instants on the command line: a day, or a date and time with its zone."""

from __future__ import annotations

from datetime import datetime

import click

from policy.ledger.reading.stream import instant


class InstantType(click.ParamType[datetime]):
    """2027-03-01 is the first instant of that day in UTC; 2027-03-01T12:00:00+01:00 is exact."""

    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return instant(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def refuse_empty_span(since: datetime | None, until: datetime | None, begin: str, end: str) -> None:
    """Raises UsageError if the second instant is not after the first; `begin` and `end` are the options' names."""
    if since and until and since >= until:
        raise click.UsageError(f"{end} must be after {begin}")
