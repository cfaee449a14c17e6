"""Claims of reviewers: two of them do not meet, and nobody is held up."""

from __future__ import annotations

from typing import Any

from tests.support.client import ApiTenant
from tests.support.reviews import Reviewing


def _claim(client: Any, *ids: str) -> tuple[list[str], list[str]]:
    answered = client.post("/v1/reviews/claims", json={"item_ids": list(ids)})
    assert answered.status_code == 200, answered.text
    return answered.json()["claimed"], answered.json()["taken"]


def test_two_reviewers_claim_different_pictures_until_the_claims_end(api: ApiTenant) -> None:
    reviewing = Reviewing(api.server.line, api.tenant)
    one, two, three = reviewing.hold("brands", "brands", "brands")
    ada, ben = api.caller(("review",)), api.caller(("review",))
    assert _claim(ada, one, two) == ([one, two], [])
    assert _claim(ben, one, two, three) == ([three], [one, two])
    assert _claim(ada, one) == ([one], [])  # one's own claim begins anew
    seen = ada.get(f"/v1/reviews/{one}").json()
    body = {"decision": "release", "comment": "fine", "sha256": seen["sha256"]}
    assert ben.post(f"/v1/reviews/{one}", json=body).status_code == 200  # a claim stops nobody
    assert _claim(ada, one) == ([], [])  # decided: nobody waits for it
    with api.server.line.owner.begin() as conn:
        conn.exec_driver_sql("update review_claims set until = now() - interval '1 second'")
    assert _claim(ben, two) == ([two], [])


def test_a_claim_ends_with_its_decision_so_that_a_second_person_may_look(api: ApiTenant) -> None:
    (one,) = Reviewing(api.server.line, api.tenant).hold("brands")
    ada, ben = api.caller(("review",)), api.caller(("review",))
    _claim(ada, one)
    seen = ada.get(f"/v1/reviews/{one}").json()
    ada.post(f"/v1/reviews/{one}", json={"decision": "release", "comment": "fine", "sha256": seen["sha256"]})
    assert _claim(ben, one)[1] == []


def test_nothing_of_another_tenant_is_claimed(api: ApiTenant) -> None:
    (one,) = Reviewing(api.server.line, api.tenant).hold("brands")
    other = ApiTenant(api.server, [], tenant="another-tenant").caller(("review",))
    assert _claim(other, one) == ([], [])
    assert _claim(api.caller(("review",)), one) == ([one], [])
