"""Name of a target: the id that the API knows it by."""

from __future__ import annotations

from deploy.client import Client
from deploy.errors import CallFailed


def id_of_target(client: Client, name: str) -> str:
    """Raises CallFailed where there is none, naming those that there are."""
    found = {str(one["name"]): str(one["id"]) for one in client.pages("/v1/targets")}
    if name not in found:
        raise CallFailed(f"there is no target {name}. Remedy: name one of {', '.join(found) or 'none, add one first'}")
    return found[name]
