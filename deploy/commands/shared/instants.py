"""Moments as people type them."""

from __future__ import annotations

from datetime import datetime

import click

from policy.ledger.reading.stream import instant


class Instant(click.ParamType[datetime]):
    """A day, or a moment with its zone."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return instant(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
