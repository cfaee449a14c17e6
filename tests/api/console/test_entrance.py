"""Signing in and out: what a session is, what a stolen or foreign one is worth, and what a page reveals."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.support.client import ApiTenant
from tests.support.console import SITE, csrf_of, sign_in, visitor
from workers.jobs.console.sessions import SESSIONS_OF_A_KEY
from workers.jobs.console.tables import console_sessions
from workers.jobs.keys import revoke_key

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_key_signs_in_and_stands_nowhere_in_the_browser(api: ApiTenant) -> None:
    stored, key = api.server.key(api.tenant, ("read",))
    client = api.server.anonymous()
    answered = sign_in(client, key)
    cookie = answered.headers["set-cookie"].lower()
    assert (answered.status_code, answered.headers["location"]) == (303, "/console")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = client.get("/console")
    assert page.status_code == 200
    assert api.tenant in page.text
    assert key not in page.text + str(page.headers) + cookie
    with api.server.line.owner.connect() as conn:
        (row,) = conn.execute(select(console_sessions).where(console_sessions.c.key_id == stored.id))
    assert key not in str(row)
    assert bytes(row.token_sha256).hex() not in cookie


def test_where_the_browser_sees_https_the_cookie_is_for_https_alone(api: ApiTenant) -> None:
    client = api.server.anonymous()
    origin = {"Origin": "https://testserver"}
    answered = client.post(
        "/console/sign-in", data={"key": api.server.key(api.tenant)[1]}, headers=SITE | origin, follow_redirects=False
    )
    assert answered.headers["set-cookie"].startswith("__Host-presswork-console=")
    assert "Secure" in answered.headers["set-cookie"]


@pytest.mark.parametrize(
    "key", ["", "pw_", "pw_wrong", "nonsense", "pw_\N{SNOWMAN}", "Bearer pw_x", "pw_" + "a" * 5000]
)
def test_every_key_that_does_not_work_gets_one_answer(api: ApiTenant, key: str) -> None:
    client = api.server.anonymous()
    answered = sign_in(client, key)
    assert answered.status_code == 401
    assert "This key does not work" in answered.text
    assert "set-cookie" not in answered.headers
    assert key == "" or len(key) < 8 or key not in answered.text


def test_a_session_ends_with_sign_out_for_every_copy_of_its_cookie(api: ApiTenant) -> None:
    client = visitor(api.server, api.tenant)
    copied = dict(client.cookies)
    form = {"csrf": csrf_of(client.get("/console"))}
    assert client.post("/console/sign-out", data=form, headers=SITE, follow_redirects=False).status_code == 303
    other = api.server.anonymous()
    other.cookies.update(copied)
    assert other.get("/console", follow_redirects=False).headers["location"] == "/console/sign-in?next=/console"


def test_a_revoked_key_ends_its_sessions_at_once(api: ApiTenant) -> None:
    stored, key = api.server.key(api.tenant)
    client = api.server.anonymous()
    sign_in(client, key)
    with api.server.line.owner.begin() as conn:
        revoke_key(conn, api.tenant, stored.id, actor="test")
    assert client.get("/console", follow_redirects=False).status_code == 303
    part = client.get("/console", headers={"HX-Request": "true"}, follow_redirects=False)
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/console/sign-in")


def test_a_key_has_so_many_sessions_and_the_oldest_ends_for_the_next(api: ApiTenant) -> None:
    stored, key = api.server.key(api.tenant)
    client = api.server.anonymous()
    for _ in range(SESSIONS_OF_A_KEY + 2):
        sign_in(client, key)
    with api.server.line.owner.connect() as conn:
        rows = conn.execute(select(console_sessions).where(console_sessions.c.key_id == stored.id)).all()
    assert len(rows) == SESSIONS_OF_A_KEY
    assert client.get("/console").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
    ],
)
def test_no_form_of_another_site_changes_anything(api: ApiTenant, headers: dict[str, str]) -> None:
    client = visitor(api.server, api.tenant)
    form = {"csrf": csrf_of(client.get("/console"))}
    answered = client.post("/console/sign-out", data=form, headers=headers, follow_redirects=False)
    assert answered.status_code == 403
    assert client.get("/console", follow_redirects=False).status_code == 200
    foreign = client.post(
        "/console/sign-in", data={"key": api.server.key()[1]}, headers=headers, follow_redirects=False
    )
    assert foreign.status_code == 403


@pytest.mark.parametrize("token", ["", "0" * 64, "\N{SNOWMAN}"])
def test_a_change_needs_the_token_of_its_own_session(api: ApiTenant, token: str) -> None:
    client = visitor(api.server, api.tenant)
    mine = csrf_of(client.get("/console"))
    theirs = csrf_of(visitor(api.server, api.tenant).get("/console"))
    assert mine != theirs
    for sent in (token, theirs):
        answered = client.post("/console/sign-out", data={"csrf": sent}, headers=SITE, follow_redirects=False)
        assert answered.status_code == 403
    assert client.post("/console/api/v1/campaigns", headers=SITE).status_code == 403


def test_a_link_signs_in_once(api: ApiTenant) -> None:
    client = api.caller(("read",))
    made = client.post("/console/links")
    path, _, secret = made.json()["path"].partition("#")
    assert (made.status_code, path) == (201, "/console/enter")
    browser = api.server.anonymous()
    assert browser.get(path).status_code == 200
    answered = browser.post(path, data={"link": secret}, headers=SITE, follow_redirects=False)
    assert (answered.status_code, answered.headers["location"]) == (303, "/console")
    assert api.tenant in browser.get("/console").text
    again = api.server.anonymous().post(path, data={"link": secret}, headers=SITE, follow_redirects=False)
    assert again.status_code == 401
    assert "works no more" in again.text
    session = api.server.anonymous()
    session.cookies.set("presswork-console", secret)
    assert session.get("/console", follow_redirects=False).status_code == 303  # a link is no session


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/console/../docs",
        "/v1/keys",
        "/console//evil.example",
        "javascript:alert(1)",
        "/console\r\nSet-Cookie: a=b",
    ],
)
def test_no_sign_in_leads_elsewhere(api: ApiTenant, wanted: str) -> None:
    client = api.server.anonymous()
    answered = sign_in(client, api.server.key(api.tenant)[1], next=wanted)
    assert answered.headers["location"].startswith("/console")
    assert "evil" not in answered.headers["location"].replace("%", "") or answered.headers["location"] == "/console"
    assert "a" not in client.cookies


def test_a_page_is_held_by_a_policy_that_begins_with_nothing(api: ApiTenant) -> None:
    client = visitor(api.server, api.tenant)
    pages = [
        client.get("/console"),
        client.get("/console"),
        client.get("/console/none"),
        api.server.anonymous().get("/console/sign-in"),
    ]
    for page in pages:
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
        assert "unsafe" not in str(policy)
        nonce = policy["script-src"].removeprefix("'nonce-").removesuffix("'")
        assert page.text.count(f'nonce="{nonce}"') == page.text.count("<script ")
        assert page.headers["cache-control"] == "no-store"
    assert pages[0].headers["content-security-policy"] != pages[1].headers["content-security-policy"]
    assert pages[2].status_code == 404
    assert "Nothing is here" in pages[2].text


def test_a_person_chooses_language_and_theme(api: ApiTenant) -> None:
    client = api.server.anonymous()
    assert "<h1>Presswork</h1>" in client.get("/console/sign-in").text
    assert 'lang="de"' in client.get("/console/sign-in", headers={"Accept-Language": "fr, de;q=0.5"}).text
    for field, value in (("language", "de"), ("theme", "dark")):
        client.post("/console/preferences", data={field: value, "next": "/console/sign-in"}, headers=SITE)
    page = client.get("/console/sign-in").text
    assert '<html lang="de" data-theme="dark">' in page
    client.post("/console/preferences", data={"theme": '"><script>'}, headers=SITE)
    assert 'data-theme="dark"' in client.get("/console/sign-in").text


def test_only_what_pages_use_is_forwarded(api: ApiTenant) -> None:
    client = visitor(api.server, api.tenant)
    headers = SITE | {"X-CSRF-Token": csrf_of(client.get("/console"))}
    assert client.get("/console/api/v1/usage").json()["data"] == []
    assert client.get("/console/api/v1/usage").headers["content-security-policy"].endswith("sandbox")
    assert client.get("/console/api/v1/keys").status_code == 404
    assert (
        client.post("/console/api/v1/keys", json={"name": "x", "scopes": ["read"]}, headers=headers).status_code == 404
    )
    assert api.server.anonymous().get("/console/api/v1/usage").status_code == 401


def test_switched_off_there_is_no_console(api: ApiTenant) -> None:
    client = api.server.anonymous(console=False)
    for path in ("/console", "/console/sign-in", "/console/api/v1/usage"):
        assert client.get(path, follow_redirects=False).status_code == 404
