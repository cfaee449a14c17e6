"""Addresses that tenants register: public, as their names resolve now."""

from __future__ import annotations

from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from workers.errors import AddressRefused
from workers.outbound.urls import check_new_url

_LOOKUP_SECONDS = 1.0  # of the name; a slow resolver costs a caller no more


def demand_public(parts: Parts, tenant: str, address: str, *, field: str) -> None:
    """Raises Problem. A tenant's slow names take only its own places."""
    try:
        with parts.lookups.take(tenant):
            check_new_url(address, seconds=_LOOKUP_SECONDS, loopback=parts.settings.webhook_loopback)
    except AddressRefused as error:
        complaint = Complaint("invalid", str(error), "Give a public https:// address.", field=field)
        raise Problem("invalid_body", f"{field}: {error}.", errors=[complaint]) from error
