"""Settings of the console: keys, webhooks and targets are made, tried and removed by an admin."""

from __future__ import annotations

import re
from typing import get_args

from api.console.pages.settings import KEY_SCOPES, WEBHOOK_EVENTS
from api.schemas.keys import KeyScope
from api.schemas.webhooks import WebhookEvent
from tests.support.client import ApiTenant
from tests.support.console import SITE, csrf_of, visitor

AT = "/console/settings"


def test_the_page_offers_every_event_that_a_webhook_may_be_told_of() -> None:
    assert set(WEBHOOK_EVENTS) == set(get_args(WebhookEvent))
    assert get_args(KeyScope) == KEY_SCOPES


def test_a_new_key_is_saved_as_a_file_and_stands_on_no_page(api: ApiTenant) -> None:
    admin = visitor(api.server, api.tenant)
    token = {"csrf": csrf_of(admin.get(AT))}
    asked = {
        **token,
        "name": 'shop "A"',
        "scope-read": "on",
        "scope-submit": "on",
        "scope-root": "on",
        "expires_in_days": "7",
    }
    made = admin.post(f"{AT}/keys", data=asked, headers=SITE)
    assert made.headers["cache-control"] == "no-store"
    assert made.headers["content-disposition"] == 'attachment; filename="presswork-shop-a.env"'
    key = re.search(r"^PRESSWORK_KEY=(pw_\S+)$", made.text, re.MULTILINE)
    assert key
    own = api.server.anonymous().get("/v1/keys/own", headers={"Authorization": f"Bearer {key[1]}"}).json()
    assert (own["name"], own["scopes"], own["tenant"]) == ('shop "A"', ["submit", "read"], api.tenant)
    assert own["expires_at"]
    page = admin.get(AT).text
    assert "shop &#34;A&#34;" in page
    assert key[1] not in page
    wrong = admin.post(f"{AT}/keys", data={**asked, "expires_in_days": "soon"}, headers=SITE)
    assert (wrong.status_code, "whole number" in wrong.text) == (422, True)
    reader = visitor(api.server, api.tenant, ("read",))
    refused = reader.post(f"{AT}/keys", data={**asked, "csrf": csrf_of(reader.get("/console"))}, headers=SITE)
    assert refused.status_code == 403


def test_a_target_is_added_and_its_secret_comes_back_on_no_page(api: ApiTenant) -> None:
    admin = visitor(api.server, api.tenant)
    sent = {"csrf": csrf_of(admin.get(AT)), "name": "shop", "endpoint": "https://example.com", "bucket": "acme-images"}
    secret = {"access_key_id": "AKIA", "secret_access_key": "hush-hush-hush"}
    answered = admin.post(f"{AT}/targets", data={**sent, **secret}, headers=SITE, follow_redirects=False)
    assert answered.status_code == 303, answered.text
    assert "hush" not in answered.text
    assert "hush" not in admin.get(AT).text


def test_a_webhook_is_added_tried_and_deleted_and_its_secret_is_shown_once(api: ApiTenant) -> None:
    admin = visitor(api.server, api.tenant)
    token = {"csrf": csrf_of(admin.get(AT))}
    sent = {**token, "url": "https://example.com/hook", "event-request.finished": "on", "event-nonsense": "on"}
    added = admin.post(f"{AT}/webhooks", data=sent, headers=SITE)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", added.text)
    assert secret
    assert added.headers["cache-control"] == "no-store"
    (hook,) = api.caller().get("/v1/webhooks").json()["data"]
    assert hook["events"] == ["request.finished"]
    page = admin.get(AT).text
    assert "https://example.com/hook" in page
    assert secret[0] not in page

    def press(verb: str, **fields: str) -> int:
        address = f"{AT}/webhooks/{hook['id']}/{verb}"
        return admin.post(address, data={**token, **fields}, headers=SITE, follow_redirects=False).status_code

    assert press("test") == 303
    assert press("wipe") == 404
    assert press("delete", csrf="0" * 64) == 403
    assert press("delete") == 303
    assert api.caller().get("/v1/webhooks").json()["data"] == []


def test_what_the_api_refuses_is_told_and_who_may_not_is_refused(api: ApiTenant) -> None:
    admin, reader = visitor(api.server, api.tenant), visitor(api.server, api.tenant, ("read",))
    token = csrf_of(admin.get(AT))
    private = {"csrf": token, "url": "http://10.0.0.1/", "event-request.finished": "on"}
    assert "https" in admin.post(f"{AT}/webhooks", data=private, headers=SITE).text
    own = {**private, "csrf": csrf_of(reader.get("/console")), "url": "https://example.com/"}
    assert reader.post(f"{AT}/webhooks", data=own, headers=SITE).status_code == 403
    assert api.caller().get("/v1/webhooks").json()["data"] == []
