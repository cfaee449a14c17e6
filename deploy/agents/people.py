"""Acts that an agent never does: each is answered with the place where a person does it, with a key of their own."""

from __future__ import annotations

from typing import NamedTuple


class PersonsAct(NamedTuple):
    """An act of a person: the operation of the API, the command, and what it is."""

    operation: str  # as the API's page at /docs names it: tag/operation
    command: str
    what: str


PERSONS_ACTS = {
    "accept_pilot": PersonsAct(
        "Pilots/pilots_accept", "presswork campaign accept REQUEST", "Accept or reject the sample of a campaign."
    ),
    "review": PersonsAct("Reviews/reviews_decide", "presswork review", "Release or refuse a held image."),
    "recall": PersonsAct("Recalls/recalls_order_recall", "presswork recall", "Take released images back."),
    "erase": PersonsAct("Privacy/privacy_order_erasure", "presswork privacy erase", "Erase private text."),
    "change_policy": PersonsAct("", "presswork policy", "Change the rule set: the operator does it."),
    "change_keys": PersonsAct("Keys/keys_create", "presswork key create", "Create or revoke API keys."),
}


def for_a_person(name: str, url: str) -> dict[str, str | bool]:
    """The answer of a tool that does nothing."""
    act = PERSONS_ACTS[name]
    return {
        "done": False,
        "needs_a_person": True,
        "what": act.what,
        "link": f"{url}/docs#/{act.operation}" if act.operation else f"{url}/docs",
        "command": act.command,
    }
