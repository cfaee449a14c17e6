"""Who asks without a key: anybody, of the public detector alone, in the name of a tenant that owns nothing.

That tenant's walls are what keeps other tenants' names from strangers; how often they may ask is counted by address.
Behind a proxy the server must be told to trust its forwarded headers, or everybody is one address.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.edge.auth import Caller, refuse_key_in_query
from api.edge.dependencies import PartsOf
from api.edge.problems import Problem
from api.edge.rate_limit import address_of

# A stranger has no key; the row of a question needs one.
NO_KEY = "00000000-0000-0000-0000-000000000000"


def _asking(request: Request, parts: PartsOf) -> Caller:
    caller, address = _stranger(request, parts)
    parts.strangers.asks(address)
    return caller


def _looking(request: Request, parts: PartsOf) -> Caller:
    caller, address = _stranger(request, parts)
    parts.strangers.looks(address)
    return caller


def _stranger(request: Request, parts: PartsOf) -> tuple[Caller, str]:
    refuse_key_in_query(request)
    if not parts.strangers.tenant:
        raise Problem("not_found", "This installation has no public detector.")
    address = address_of(request.client.host if request.client else "")
    return Caller(parts.strangers.tenant, NO_KEY, address), address


Asking = Annotated[Caller, Depends(_asking)]
Looking = Annotated[Caller, Depends(_looking)]
