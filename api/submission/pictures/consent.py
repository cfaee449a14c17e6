"""Consent at the door: inputs that show people and of which nobody stated that those agreed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from api.edge.problems import Complaint
from api.submission.pictures.known import KnownInput
from policy.rulebook.consent import GivenInput
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision

_REMEDY = (
    "Send the picture again with `consent`, which says where the person agreed: the same file keeps its id."
    " A campaign says it of the pictures in its ZIP."
)


def consent_complaints(
    rules: Rules, context: Context, task: str, pictures: Mapping[str, KnownInput]
) -> Iterator[Complaint]:
    """For each picture without the consent that the rule set demands; what it merely holds is no error.

    An input that nobody has looked at yet is asked about again before anything is drawn from it.
    """
    if rules.consent.absent is not Decision.REFUSE:
        return
    given = [
        GivenInput(role, known.consented, known.verdict.scores if known.verdict else {})
        for role, known in pictures.items()
    ]
    for role in rules.consent.missing(context, task, given):
        message = f"{role} shows people, and no consent is stated of input {pictures[role].shown}"
        yield Complaint("consent_missing", message, _REMEDY, field=role)
