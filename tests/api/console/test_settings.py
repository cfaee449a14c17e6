"""Settings of the console: webhooks and targets are added, tried and removed by an admin, and a secret is seen once."""

from __future__ import annotations

import re
from typing import get_args

from api.console.pages.settings import WEBHOOK_EVENTS
from api.schemas.webhooks import WebhookEvent
from tests.support.client import ApiTenant
from tests.support.console import SITE, csrf_of, visitor

AT = "/console/settings"


def test_the_page_offers_every_event_that_a_webhook_may_be_told_of() -> None:
    assert set(WEBHOOK_EVENTS) == set(get_args(WebhookEvent))


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
