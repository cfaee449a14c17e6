"""Reuse through the API: a campaign that is sent again takes what is released, and the check says so before."""

from __future__ import annotations

from policy.verdict import Verdict
from tests.support.client import ApiTenant, campaign, problem
from tests.support.line import LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle

_TABLE = "sku,object,colour\nA,backpack,red\nB,car,green\n"
_SPEC = {"template": "a {colour} {object}", "key": "sku"}


def _drawn(api: ApiTenant) -> None:
    """Everything that waits is released, by the rule set of now."""
    waiting = [item for item in api.items() if item.state == "pending"]
    version = str(api.events("request.accepted")[0].event["policy_version"])
    with api.server.line.worker.begin() as conn:
        ids = [item.id for item in waiting]
        batch_id = dispatch(conn, "gpu", waiting[0].recipe_id, ids, lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "worker-1")
        assert held is not None
        settle(conn, held, [released(held, item, verdict=Verdict(version)) for item in held.items])


def test_what_is_unchanged_is_reused_and_the_check_says_what_is_not(api: ApiTenant) -> None:
    caller = api.caller()
    campaign(caller, _TABLE, _SPEC)
    _drawn(api)
    changed = _TABLE.replace("green", "blue") + "C,lamp,red\n"
    told = campaign(caller, changed, _SPEC, dry_run=True).json()
    assert (told["items"], told["reused_items"], told["forecast"]["images"]) == (3, 1, 2)
    assert [(one["custom_id"], one["reason"]) for one in told["changed"]] == [("B", "prompt")]
    sent = campaign(caller, changed, _SPEC).json()
    assert (sent["items"], sent["reused_items"]) == (3, 1)
    items = caller.get(f"/v1/requests/{sent['id']}/items").json()["data"]
    assert [(one["state"], one["reused"], one["not_reused"], one["cost"]) for one in items] == [
        ("released", True, None, 0.0),
        ("pending", False, "prompt", None),
        ("pending", False, "new", None),
    ]
    request = caller.get(f"/v1/requests/{sent['id']}").json()
    assert (request["used"]["made"], request["used"]["reused"]) == (0, 1)
    (asset,) = caller.get(f"/v1/requests/{sent['id']}/assets").json()["data"]
    assert (asset["id"], asset["item_id"]) == (items[0]["asset_id"], items[0]["id"])


def test_reuse_never_draws_everything_and_says_so(api: ApiTenant) -> None:
    caller = api.caller()
    campaign(caller, _TABLE, _SPEC)
    _drawn(api)
    sent = campaign(caller, _TABLE, _SPEC, reuse="never").json()
    assert sent["reused_items"] == 0
    items = caller.get(f"/v1/requests/{sent['id']}/items").json()["data"]
    assert [one["not_reused"] for one in items] == ["off", "off"]
    problem(campaign(caller, _TABLE, _SPEC, reuse="perhaps"), 422, "invalid_body")


def test_one_prompt_with_its_seed_is_reused_and_without_one_is_another_picture(api: ApiTenant) -> None:
    caller = api.caller()
    caller.post("/v1/requests", json={"prompt": "a red car", "seed": 7})
    _drawn(api)
    again = caller.post("/v1/requests", json={"prompt": "a red car", "seed": 7}).json()
    other = caller.post("/v1/requests", json={"prompt": "a red car"}).json()
    assert (again["reused_items"], other["reused_items"]) == (1, 0)
    assert caller.get(f"/v1/requests/{again['id']}").json()["phase"] == "finished"
