"""Examination of one role: the parts that its processes need, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from deploy.doctor.broker import examine_broker
from deploy.doctor.buckets import READS, examine_bucket, examine_second_anchor
from deploy.doctor.database import examine_database
from deploy.doctor.diagnosis import Diagnoses, Diagnosis, Health, in_words
from deploy.doctor.files import examine_ledger_keys, examine_models, examine_rules, examine_signing
from deploy.doctor.operation import examine_sealing, examine_workers
from workers.settings import Settings

ROLES = ("api", "planner", "worker", "sealer", "clerk", "identify", "auditor", "owner")
Examination = Callable[[Settings], Diagnoses]


def examinations(role: str) -> dict[str, Examination]:
    """Part -> what examines it, for `role`, which is one of ROLES."""
    parts: dict[str, Examination] = {"Postgres": lambda settings: examine_database(settings, role)}
    if role in ("api", "planner", "worker"):
        parts["Redis"] = examine_broker
    if role in READS:
        parts["bucket"] = lambda settings: examine_bucket(settings, role)
    if role in ("sealer", "auditor"):
        parts["second anchor"] = examine_second_anchor
        parts["ledger keys"] = lambda settings: examine_ledger_keys(settings, signs=role == "sealer")
        parts["sealing"] = examine_sealing
    if role in ("api", "worker"):
        parts |= {"rule set": examine_rules, "models": examine_models}
    if role == "worker":
        parts |= {"signing certificate": examine_signing, "workers": examine_workers}
    return parts


def examine(settings: Settings, role: str) -> Diagnoses:
    """Every finding about `role`. A part that fails in a way nobody foresaw is a finding too, and the rest follows."""
    for part, looks in examinations(role).items():
        try:
            yield from looks(settings)
        except Exception as error:  # noqa: BLE001 - after a traceback nothing is told of the other parts
            words = f"could not be examined: {type(error).__name__}: {in_words(error)}"
            yield Diagnosis(part, Health.WRONG, words, "report this with the version of the service")
