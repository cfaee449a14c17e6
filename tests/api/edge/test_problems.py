"""Problems: which of them are passing faults, and what their answers say about coming back."""

from __future__ import annotations

import pytest

from api.edge.problems import CATALOGUE, PASSING, Problem


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_an_answer_says_when_to_come_back_if_and_only_if_the_fault_passes(code: str) -> None:
    headers = Problem(code, "x").response("0f8fad5b-d9cb-469f-a165-70867728950e").headers
    assert ("retry-after" in headers) == (code in PASSING)


def test_every_429_and_503_passes_and_of_the_others_only_a_call_under_way() -> None:
    by_status = {code for code, (status, _) in CATALOGUE.items() if status in (429, 503)}
    assert PASSING.keys() == by_status - {"insufficient_quota"} | {"idempotency_in_flight"}


def test_a_fault_that_knows_its_own_time_keeps_it() -> None:
    assert Problem("busy", "x", headers={"Retry-After": "7"}).headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("id", "namespace"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", "urn:uuid"),
        ("0F8FAD5B-D9CB-469F-A165-70867728950E", "urn:presswork:request"),
        ("0f8fad5bd9cb469fa16570867728950e", "urn:presswork:request"),
        ("my-trace-42", "urn:presswork:request"),
    ],
)
def test_the_instance_ends_in_the_id_letter_for_letter(id: str, namespace: str) -> None:
    """32 digits got dashes in `instance`, and were found in neither the header nor the log."""
    assert Problem("busy", "x").document(id)["instance"] == f"{namespace}:{id}"
