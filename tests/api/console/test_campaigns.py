"""Campaign pages: what is shown of a campaign, to whom, and what may be done to it."""

from __future__ import annotations

import json
import uuid

from tests.support.campaigns import settled_campaign
from tests.support.client import ApiTenant
from tests.support.console import SITE, csrf_of, visitor

TABLE = b"sku;product\n1;backpack\n2;<script>alert(1)</script>\n"
SPEC = {"template": "a {product}", "key": "sku", "name": "<b>bold</b>"}


def test_a_campaign_is_shown_with_its_rows_its_errors_and_their_remedies(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    client = visitor(api.server, api.tenant)
    listed = client.get("/console/campaigns").text
    assert f'href="/console/campaigns/{sent.id}"' in listed
    page = client.get(f"/console/campaigns/{sent.id}").text
    assert "Frühling" in page
    assert page.count("<tr>") == 6
    told = sent.caller.get(f"/v1/requests/{sent.id}").json()["summary"]["reasons"][0]["remedy"]
    assert told in page.replace("&#39;", "'")
    held = client.get(f"/console/campaigns/{sent.id}?state=held").text
    assert held.count("<tr>") == 2
    part = client.get(f"/console/campaigns/{sent.id}/live", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert 'id="live"' in part


def test_a_campaign_of_another_tenant_is_not_found(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    other = visitor(api.server, "somebody-else")
    for address in (f"/{sent.id}", f"/{sent.id}/live", f"/{uuid.uuid4()}", "/x%2f..%2fy", "/%00"):
        assert other.get(f"/console/campaigns{address}").status_code == 404, address
    form = {"csrf": csrf_of(other.get("/console"))}
    assert other.post(f"/console/campaigns/{sent.id}/cancel", data=form, headers=SITE).status_code == 404
    assert sent.id not in other.get("/console/campaigns").text


def test_a_key_that_only_reads_is_shown_no_change_and_can_make_none(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    reader = visitor(api.server, api.tenant, ("read",))
    page = reader.get(f"/console/campaigns/{sent.id}")
    assert 'method="post" action="/console/campaigns' not in page.text
    assert "/console/new" not in page.text
    form = {"csrf": csrf_of(page)}
    assert reader.post(f"/console/campaigns/{sent.id}/cancel", data=form, headers=SITE).status_code == 403
    assert reader.get("/console/new").status_code == 403
    auditor = visitor(api.server, api.tenant, ("audit",))
    assert "/console/campaigns" not in auditor.get("/console").text
    assert auditor.get("/console/campaigns").status_code == 403


def test_a_campaign_is_cancelled_by_who_may(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    client = visitor(api.server, api.tenant)
    address = f"/console/campaigns/{sent.id}"
    form = {"csrf": csrf_of(client.get(address))}
    done = client.post(f"{address}/cancel", data=form, headers=SITE, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, address)
    assert sent.caller.get(f"/v1/requests/{sent.id}").json()["counts"]["cancelled"] == 1
    assert client.post(f"{address}/delete", data=form, headers=SITE).status_code == 404


def test_a_spreadsheet_is_checked_with_its_prompts_and_submitted_once(api: ApiTenant) -> None:
    client = visitor(api.server, api.tenant)
    headers = SITE | {"X-CSRF-Token": csrf_of(client.get("/console/new")), "HX-Request": "true"}

    def send(verb: str, table: bytes = TABLE, **changes: object) -> str:
        parts = {"file": ("rows.csv", table, "text/csv")}
        spec = {"spec": json.dumps(SPEC | changes)}
        return client.post(f"/console/new/{verb}", data=spec, files=parts, headers=headers).text

    checked = send("check", dry_run=True)
    assert "a backpack" in checked
    assert "&lt;script&gt;" in checked
    assert "<script>" not in checked
    assert "<code>;</code>" in checked
    assert api.stored() == 0
    wrong = send("check", table=b"sku;product\n1;car\n1;car\n", dry_run=True)
    assert "1" in wrong
    assert 'class="remedy"' in wrong
    headers["Idempotency-Key"] = "once"
    first, again = send("submit"), send("submit")
    assert f"/console/campaigns/{api.items()[0].request_id}" in first
    assert f"/console/campaigns/{api.items()[0].request_id}" in again
    assert api.stored() == 3
    listed = client.get("/console/campaigns").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in listed


def test_results_come_through_the_session(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    client = visitor(api.server, api.tenant, ("read",))
    found = client.get(f"/console/api/v1/requests/{sent.id}/results?format=csv")
    assert "presswork_state" in found.text.splitlines()[0]
    assert visitor(api.server, "elsewhere").get(f"/console/api/v1/requests/{sent.id}/results").status_code == 404
