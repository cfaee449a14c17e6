"""Catalogue pages: a plan is read as a difference, applied as it was shown, and taken back."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from tests.support.catalogues import ROWS, Catalogue, feed
from tests.support.client import ApiTenant
from tests.support.console import SITE, csrf_of, sign_in, visitor


def _press(client: TestClient, page: str, form: str, **fields: str) -> int:
    """The status of sending a page's form, with its hidden fields."""
    shown = client.get(page)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.text))
    assert form in shown.text, shown.text
    sent = {**hidden, "csrf": csrf_of(shown), **fields}
    return client.post(form, data=sent, headers=SITE, follow_redirects=False).status_code


def test_a_plan_is_shown_with_pictures_and_applied_once_and_rolled_back(api: ApiTenant) -> None:
    chairs = Catalogue(api)
    chairs.run(feed(ROWS[:3]))
    was = chairs.live()
    plan = chairs.plan(feed(["c-01,chair 1,blue,1.90", *ROWS[1:2]]))
    page = f"/console/catalogues/chairs/plans/{plan['id']}"
    service = visitor(api.server, api.tenant)
    assert "A person applies this plan" in service.get(page).text
    client = api.server.anonymous()
    sign_in(client, api.server.key(api.tenant, person="Ada")[1])
    shown = client.get(page).text
    assert f"/console/api/v1/assets/{was['c-01']}/thumbnail" in shown  # before; there is no picture after yet
    assert shown.count("thumbnail") == 2  # c-01 changes, c-03 is missing
    assert "c-03" not in client.get(f"{page}?kind=change").text
    apply = f"{page}/apply"
    assert _press(client, page, apply, digest="0" * 64) == 409
    assert _press(client, page, apply, confirm="on") == 303
    hidden = {"csrf": csrf_of(client.get(page)), "digest": plan["digest"], "confirm": "on"}
    again = client.post(apply, data=hidden, headers=SITE, follow_redirects=False)
    assert again.status_code == 303  # a second press: answered with the first run
    (begun,) = (run for run in chairs.client.get(f"{chairs.url}/runs").json()["data"] if run["run"] == 2)
    chairs.make(begun["request_id"])
    now = chairs.live()
    assert now["c-01"] != was["c-01"]
    shown = client.get(page).text
    assert f"assets/{was['c-01']}/thumbnail" in shown
    assert f"assets/{now['c-01']}/thumbnail" in shown
    assert apply not in shown
    rollback = "/console/catalogues/chairs/rollback"
    assert _press(client, "/console/catalogues/chairs", rollback, to_run="1") == 303
    assert chairs.live()["c-01"] == was["c-01"]
    assert "Rolled back" in client.get("/console/catalogues/chairs").text


def test_who_may_only_read_sees_no_button_and_another_tenant_sees_nothing(api: ApiTenant) -> None:
    chairs = Catalogue(api)
    plan = chairs.plan(feed(ROWS[:2]))
    page = f"/console/catalogues/chairs/plans/{plan['id']}"
    reader = visitor(api.server, api.tenant, ("read",))
    for address in ("/console/catalogues/chairs", page):
        assert "<form method" not in reader.get(address).text.split('id="main"')[1]
        assert visitor(api.server, "another-tenant").get(address).status_code == 404


def test_a_plan_that_failed_says_why_and_what_to_do(api: ApiTenant) -> None:
    plan = Catalogue(api).plan(feed(["c-1,chair,red,1"], header="id,title,colour,price"))
    shown = visitor(api.server, api.tenant).get(f"/console/catalogues/chairs/plans/{plan['id']}").text
    assert plan["state"] == "failed"
    assert "The plan could not be made" in shown
    assert "sku" in shown
