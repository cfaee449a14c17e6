"""Money of limits: a budget is in the currency of the installation's price list, or in none."""

from __future__ import annotations

from api.edge.problems import Complaint, Problem
from workers.cost.limits import Limits


def demand_currency(wanted: Limits, currency: str, *, field: str = "currency") -> None:
    """Raises Problem for a budget in money that this installation does not count in."""
    if wanted.cost is None or wanted.currency == currency:
        return
    message = f"this installation counts in {currency}, not in {wanted.currency}"
    remedy = f"Send the limit in {currency}."
    if not currency:
        message = "this installation has no price list, so nothing of it costs money"
        remedy = "Limit images or gpu_seconds, or ask the operator to set PRESSWORK_PRICES."
    complaint = Complaint("other_currency", message, remedy, field=field)
    raise Problem("invalid_body", f"{field}: {message}.", errors=[complaint])
