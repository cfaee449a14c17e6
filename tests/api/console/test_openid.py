"""Sign-in by OpenID Connect: at a provider over HTTP, and every way in which a token must not sign anybody in."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey

from tests.support.client import ApiTenant
from tests.support.issuer import CLIENT, SECRET, Issuer, issuer

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def company(provider: Issuer) -> Issuer:
    """The provider, as it is before a test changes it."""
    provider.person = {"email": "Ada@Example.com", "email_verified": True, "groups": ["reviewers", "everybody"]}
    provider.token = None
    return provider


@pytest.fixture
def browser(api: ApiTenant, company: Issuer, tmp_path: Path) -> TestClient:
    api.caller()  # the tenant exists
    roles = tmp_path / "roles.yaml"
    reviewers = f"  reviewers: {{tenant: {api.tenant}, scopes: [read, review]}}\n"
    ghosts = "  ghosts: {tenant: no-such-tenant, scopes: [read]}\n"
    roles.write_text(f"roles:\n{reviewers}{ghosts}")
    settings = {"oidc_issuer": company.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    at = "http://testserver/console/oidc/callback"
    return api.server.anonymous(**settings, oidc_redirect_url=at, oidc_roles_file=roles)


def begin(browser: TestClient, company: Issuer, wanted: str = "/console/review") -> tuple[str, str]:
    begun = browser.get("/console/oidc/start", params={"next": wanted}, follow_redirects=False)
    assert begun.status_code == 303
    return company.authorize(begun.headers["location"])


def come_back(browser: TestClient, state: str, code: str) -> tuple[int, str]:
    answered = browser.get("/console/oidc/callback", params={"state": state, "code": code}, headers=HTML)
    return answered.status_code, answered.text


def test_a_group_signs_in_with_its_scopes_and_the_persons_name(
    browser: TestClient, company: Issuer, api: ApiTenant
) -> None:
    assert "/console/oidc/start" in browser.get("/console/sign-in").text
    status, text = come_back(browser, *begin(browser, company))
    assert status == 200
    assert 'content="0; url=/console/review"' in text
    home = browser.get("/console").text
    assert f"u-1@{urlsplit(company.url).netloc}" in home
    assert 'href="/console/review"' in home
    assert 'href="/console/settings"' not in home
    assert [event.actor for event in api.events("key.created")].count(f"oidc:u-1@{urlsplit(company.url).netloc}") == 1


def test_a_person_stays_one_whatever_address_they_have(browser: TestClient, company: Issuer, api: ApiTenant) -> None:
    for changes in ({}, {"email": "other@example.com"}, {"email_verified": False}):
        company.person |= changes
        come_back(browser, *begin(browser, company))
    keys = [key for key in api.caller().get("/v1/keys").json()["data"] if key["name"].startswith("console of")]
    assert len({key["person"] for key in keys}) == 1
    names = [key["name"].removeprefix("console of ") for key in keys]
    assert names[:2] == ["Ada@Example.com", "other@example.com"]
    assert names[2].startswith("u-1@")  # an address that nobody verified is not believed


def test_a_code_works_once_and_in_the_browser_that_asked(browser: TestClient, company: Issuer, api: ApiTenant) -> None:
    state, code = begin(browser, company)
    other = TestClient(browser.app)
    assert come_back(other, state, code)[0] == 403  # it began nothing
    assert come_back(browser, "another", code)[0] == 403
    state, code = begin(browser, company)
    kept = browser.cookies.get("presswork-oidc")
    assert come_back(browser, state, code)[0] == 200
    browser.cookies.set("presswork-oidc", str(kept))
    assert come_back(browser, state, code)[0] == 502  # the provider takes it once


def _written(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def _by_hand(claims: dict[str, Any], header: dict[str, str], secret: bytes | None = None) -> str:
    """A token that no library of ours would make: unsigned, or signed with what everybody knows."""
    said = f"{_written(json.dumps(header).encode())}.{_written(json.dumps(claims).encode())}"
    return f"{said}.{_written(hmac.digest(secret, said.encode(), 'sha256')) if secret else ''}"


FORGERIES: dict[str, Callable[[Issuer], Callable[[dict[str, Any]], str]]] = {
    "no signature": lambda _: lambda claims: _by_hand(claims, {"alg": "none"}),
    "another key": lambda made: lambda claims: made.sign(claims, RSAKey.generate_key(2048, {"kid": "one"})),
    "the public key as a secret": lambda made: (
        lambda claims: _by_hand(claims, {"alg": "HS256", "kid": "one"}, made.key.as_pem(private=False))
    ),
    "another audience": lambda made: lambda claims: made.sign({**claims, "aud": "another"}),
    "two audiences, another party": lambda made: lambda claims: made.sign({**claims, "aud": [CLIENT, "b"], "azp": "b"}),
    "another issuer": lambda made: lambda claims: made.sign({**claims, "iss": "https://evil.example"}),
    "over": lambda made: lambda claims: made.sign({**claims, "exp": int(time.time()) - 3600}),
    "of another sign-in": lambda made: lambda claims: made.sign({**claims, "nonce": "another"}),
    "without a nonce": lambda made: lambda claims: made.sign({k: v for k, v in claims.items() if k != "nonce"}),
    "no token at all": lambda _: lambda _claims: "x",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_token_that_is_not_the_issuers_for_this_sign_in_opens_nothing(
    browser: TestClient, company: Issuer, forgery: str
) -> None:
    company.token = FORGERIES[forgery](company)
    status, text = come_back(browser, *begin(browser, company))
    assert status == 403
    assert "You are not signed in" in text
    assert browser.get("/console", follow_redirects=False).status_code in (303, 401)


@pytest.mark.parametrize("groups", [["everybody"], [], "reviewersx", {"reviewers": 1}, None, ["ghosts"]])
def test_a_group_without_a_role_opens_nothing(browser: TestClient, company: Issuer, groups: object) -> None:
    company.person["groups"] = groups
    status, text = come_back(browser, *begin(browser, company))
    assert status == 403
    assert "no role" in text


def test_new_keys_of_the_issuer_are_fetched(browser: TestClient, company: Issuer) -> None:
    assert come_back(browser, *begin(browser, company))[0] == 200
    company.key = RSAKey.generate_key(2048, {"kid": "one"})
    assert come_back(browser, *begin(browser, company))[0] == 200


def test_no_redirect_leads_elsewhere(browser: TestClient, company: Issuer) -> None:
    _, text = come_back(browser, *begin(browser, company, "https://evil.example/console"))
    assert 'content="0; url=/console"' in text


def test_without_a_provider_there_is_no_such_page(api: ApiTenant) -> None:
    plain = api.server.anonymous()
    assert plain.get("/console/oidc/start", headers=HTML).status_code == 404
    assert "/console/oidc" not in plain.get("/console/sign-in").text


def test_half_a_configuration_is_refused_at_start(settings_for: Any) -> None:
    with pytest.raises(ValueError, match="oidc_issuer needs"):
        settings_for("api", oidc_issuer="https://id.example.com")
