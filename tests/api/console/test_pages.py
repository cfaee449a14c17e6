"""Pages by section: whom each is shown to, and that no page shows what belongs to another tenant."""

from __future__ import annotations

import pytest

from api.console.sections import SECTIONS
from tests.support.campaigns import settled_campaign
from tests.support.client import GOOD, ApiTenant, campaign
from tests.support.console import SITE, csrf_of, visitor

SCOPES = ("submit", "read", "review", "audit", "admin")


@pytest.mark.parametrize("section", [each for each in SECTIONS if each.scope], ids=lambda section: section.name)
def test_a_section_is_shown_to_whom_its_scope_was_given(api: ApiTenant, section: tuple[str, str, str]) -> None:
    _, address, scope = section
    able = visitor(api.server, api.tenant, (scope,))
    assert f'href="{address}"' in able.get("/console").text
    assert able.get(address).status_code == 200
    unable = visitor(api.server, api.tenant, [each for each in SCOPES if each != scope])
    assert f'href="{address}"' not in unable.get("/console").text
    refused = unable.get(address)
    assert refused.status_code == 403
    assert "Your key does not allow this" in refused.text


def test_an_asset_is_shown_to_its_tenant_and_its_proofs_to_an_auditor(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    address = f"/console/assets/{sent.released[0]}"
    page = visitor(api.server, api.tenant).get(address)
    assert "0042" in page.text
    assert "/console/api/v1/audit/packs" in page.text
    reader = visitor(api.server, api.tenant, ("read",)).get(address)
    assert reader.status_code == 200
    assert "/v1/audit/" not in reader.text
    assert visitor(api.server, "another-tenant").get(address).status_code == 404


def test_a_sheet_and_a_pilot_of_another_tenant_are_not_found(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    other = visitor(api.server, "another-tenant")
    assert [other.get(f"/console/campaigns/{sent.id}/{part}").status_code for part in ("sheet", "pilot")] == [404, 404]
    mine = visitor(api.server, api.tenant)
    assert 'total="5"' in mine.get(f"/console/campaigns/{sent.id}/sheet").text
    assert 'total="2"' in mine.get(f"/console/campaigns/{sent.id}/sheet?state=released").text
    assert mine.get(f"/console/campaigns/{sent.id}/sheet?state=x").status_code == 404


def test_a_place_of_a_request_is_found_without_the_pages_before_it(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    items = f"/v1/requests/{sent.id}/items"

    def rows(**query: object) -> list[int]:
        return [item["row"] for item in sent.caller.get(items, params=query).json()["data"]]  # type: ignore[arg-type]

    assert rows(skip=3) == [4, 5]
    assert rows(skip=1, state="released") == [2]
    assert rows(skip=5) == rows(skip=10**6) == []
    assert sent.caller.get(items, params={"skip": -1}).status_code == 422


def test_a_pilot_that_is_still_made_offers_no_decision(api: ApiTenant) -> None:
    sent = campaign(api.caller(), f"{GOOD}bicycle,red\nhat,blue\n", pilot={"images": 2})
    page = visitor(api.server, api.tenant).get(f"/console/campaigns/{sent.json()['id']}/pilot").text
    assert "There is nothing to decide" in page
    assert "pilot/accept" not in page


def test_an_admin_revokes_a_key_and_its_session_ends(api: ApiTenant) -> None:
    stored, key = api.server.key(api.tenant, ("read",))
    client = visitor(api.server, api.tenant)
    form = {"csrf": csrf_of(client.get("/console/settings"))}
    address = f"/console/settings/keys/{stored.id}/revoke"
    assert client.post(address, data={"csrf": ""}, headers=SITE).status_code == 403
    assert client.post(address, data=form, headers=SITE, follow_redirects=False).status_code == 303
    gone = api.server.anonymous()
    gone.headers["Authorization"] = f"Bearer {key}"
    assert gone.get("/v1/usage").status_code == 401


def test_identify_sends_the_picture_on_and_asks_for_its_answer(api: ApiTenant) -> None:
    client = visitor(api.server, api.tenant)
    headers = SITE | {
        "X-CSRF-Token": csrf_of(client.get("/console/identify")),
        "Content-Type": "application/octet-stream",
    }
    asked = client.post("/console/identify", content=b"\x89PNG not quite", headers=headers)
    assert asked.status_code == 200
    assert "Looking" in asked.text
    address = asked.text.split('hx-get="')[1].split("?")[0]
    assert client.get(address, params={"wait": 0}).status_code == 200
    assert visitor(api.server, "another-tenant").get(address, params={"wait": 0}).status_code == 404
    assert client.post("/console/identify", content=b"", headers=headers).status_code == 422
