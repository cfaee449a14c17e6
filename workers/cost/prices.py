"""Price list: what an hour of each device class costs, in the one currency of the installation.

A device class is the name that the device gives itself, such as "NVIDIA H200", or "cpu". "*" is every other one. A
class without a price has GPU seconds and no money: nothing is made up for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

OTHERS = "*"
MAX_PER_HOUR = Decimal(1_000_000)
_STEP = Decimal("0.000000001")  # the database keeps nine places
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Prices:
    """Per hour, by device class. Without a currency there are no prices."""

    currency: str  # ISO 4217, "" for none
    per_hour: Mapping[str, Decimal]

    @classmethod
    def parse(cls, prices: str, currency: str) -> Prices:
        """From "NVIDIA H200=3.50,cpu=0.05,*=1". Raises ValueError that names what is wrong."""
        per_hour: dict[str, Decimal] = {}
        for entry in filter(None, (part.strip() for part in prices.split(","))):
            device_class, equals, amount = (part.strip() for part in entry.rpartition("="))
            if not (device_class and equals):
                raise ValueError(f"prices: {entry!r} is no price; write DEVICE CLASS=PRICE PER HOUR")
            if device_class in per_hour:
                raise ValueError(f"prices: {device_class!r} is named twice")
            per_hour[device_class] = _amount(device_class, amount)
        if currency and not _CURRENCY.fullmatch(currency):
            raise ValueError(f"currency: {currency!r} is no code of ISO 4217, such as EUR")
        if bool(per_hour) != bool(currency):
            raise ValueError("prices and currency must be set together, or neither")
        return cls(currency, per_hour)

    def cost(self, device_class: str, seconds: float | Decimal) -> Decimal | None:
        """What so many seconds on a device of this class cost, to nine places; None where it has no price."""
        price = self.per_hour.get(device_class, self.per_hour.get(OTHERS))
        if price is None:
            return None
        return (price * Decimal(seconds) / 3600).quantize(_STEP, ROUND_HALF_EVEN)


def _amount(device_class: str, amount: str) -> Decimal:
    try:
        price = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"prices: {amount!r} is no number; write {device_class}=3.50") from None
    if not (price.is_finite() and 0 <= price <= MAX_PER_HOUR):
        raise ValueError(f"prices: {amount} per hour of {device_class!r} is not between 0 and {MAX_PER_HOUR:,}")
    return price
