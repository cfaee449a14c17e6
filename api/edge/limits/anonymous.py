"""Anonymous callers: they may use the public detector alone, and act as one configured tenant that owns nothing.

That tenant's walls keep other tenants' names from them. How often an address asks, and how many of its pictures wait,
is counted under a keyed digest of the address, so that no address is written down. api/edge/limits/client_address.py
says which address that is behind a proxy.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from api.edge.auth import Caller, refuse_key_in_query
from api.edge.dependencies import Parts, PartsOf
from api.edge.limits.client_address import client_address, networks_of
from api.edge.limits.rate_limit import admit
from api.edge.problems import Problem

# An anonymous caller has no key; the row of a question needs one.
NO_KEY = "00000000-0000-0000-0000-000000000000"
_DIGEST_BYTES = 16


def _asking(request: Request, parts: PartsOf) -> Caller:
    caller = _anonymous(request, parts)
    admit(request, parts.anonymous_questions.count(caller.networks))
    return caller


def _looking(request: Request, parts: PartsOf) -> Caller:
    caller = _anonymous(request, parts)
    admit(request, parts.anonymous_looks.count(caller.networks[0]))
    return caller


def _anonymous(request: Request, parts: Parts) -> Caller:
    refuse_key_in_query(request)
    if not parts.settings.public_detector_tenant:
        raise Problem("not_found", "This installation has no public detector.")
    return Caller(parts.settings.public_detector_tenant, NO_KEY, networks=_networks(request, parts))


def _resolving(request: Request, parts: PartsOf) -> Caller:
    """A caller of no tenant: the address that answers reads the named tenants' released pictures and nothing else."""
    refuse_key_in_query(request)
    if not parts.settings.soft_binding_tenant_names:
        raise Problem("not_found", "This installation does not resolve soft bindings.")
    caller = Caller("", NO_KEY, networks=_networks(request, parts))
    admit(request, parts.anonymous_looks.count(caller.networks[0]))
    return caller


def _networks(request: Request, parts: Parts) -> tuple[str, ...]:
    peer = request.client.host if request.client else ""
    networks = networks_of(client_address(peer, request.headers, parts.proxies))
    digests = _digests(networks, parts)
    request.state.network = digests[0]  # for its places among the bodies that arrive
    return digests


def _digests(networks: Sequence[str], parts: Parts) -> tuple[str, ...]:
    """The networks under a key made of what every API process has and no table holds: the services' passwords."""
    urls = (parts.settings.database_url, parts.settings.redis_url)
    passwords = "\n".join(urlsplit(url.get_secret_value()).password or "" for url in urls)
    return tuple(
        hmac.digest(passwords.encode(), network.encode(), hashlib.sha256)[:_DIGEST_BYTES].hex() for network in networks
    )


Asking = Annotated[Caller, Depends(_asking)]
Looking = Annotated[Caller, Depends(_looking)]
Resolving = Annotated[Caller, Depends(_resolving)]
