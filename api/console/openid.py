"""OpenID Connect: people sign in at their company's identity provider, and its groups say what they may do here.

Authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636), by Authlib and joserfc. What begins a sign-in
lies in a cookie of the browser that began it; nothing lies here, so any process of the API can end it. A code that
comes with another state, or with an ID token that is not for us, not signed by the issuer's own key, over, or of
another sign-in, signs nobody in.

The tables of roles are read when they are needed and parsed anew when the file changes. A group that nobody was given a
role for opens nothing. Provider away: people with a session go on, others sign in with an API key.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import yaml
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workers.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")  # signatures by a private key only
_SECONDS = 10.0  # for one answer of the provider
_LEEWAY_SECONDS = 60
_KEPT_SECONDS = 600.0  # discovery and keys
_LONGEST_ANSWER = 1024 * 1024
_MOST_CHARS = 200  # of a person's name in the ledger


class OpenIdRefused(Exception):
    """Nobody is signed in. `code` names the text that the page shows; the message is for the log."""

    def __init__(self, code: Literal["provider", "token", "role", "state"], message: str) -> None:
        super().__init__(message)
        self.code = code


class OpenIdRole(BaseModel):
    """What a group may do, in which tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str = Field(min_length=1, max_length=64)
    scopes: list[Literal["submit", "read", "review", "audit", "admin"]] = Field(min_length=1)


class OpenIdRoles(BaseModel):
    """The file of PRESSWORK_OIDC_ROLES_FILE."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str = Field("groups", min_length=1)
    roles: dict[str, OpenIdRole] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class OpenIdPerson:
    """Who signed in, a tenant, and what they may do there.

    `name` is subject and issuer: nothing else stays a person's own (OpenID Connect Core 1.0, 5.7). `called` is for
    people to read, and may change.
    """

    name: str
    called: str
    tenant: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenIdAttempt:
    """A sign-in that was begun. The browser keeps it until it comes back."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    wanted: str  # the page to go to

    @classmethod
    def begin(cls, wanted: str) -> OpenIdAttempt:
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), wanted)

    def written(self) -> str:
        return json.dumps([self.state, self.nonce, self.verifier, self.wanted])

    @classmethod
    def read(cls, written: str) -> OpenIdAttempt | None:
        try:
            parts = json.loads(written)
        except ValueError:
            return None
        if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) and part for part in parts):
            return None
        return cls(*parts)


class OpenIdProvider:
    """The identity provider of the settings. Thread-safe; every call may block for seconds."""

    def __init__(self, settings: Settings) -> None:
        if not (settings.oidc_issuer and settings.oidc_roles_file):
            raise ValueError("no identity provider is set up")
        self._issuer = settings.oidc_issuer.rstrip("/")
        self._client_id = settings.oidc_client_id
        secret = settings.oidc_client_secret
        self._secret = secret.get_secret_value() if secret else None
        self._redirect = settings.oidc_redirect_url
        self._roles_file = settings.oidc_roles_file
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def address(self, attempt: OpenIdAttempt) -> str:
        """Where the browser goes. Raises OpenIdRefused."""
        endpoint = self._endpoint("authorization_endpoint")
        with self._client() as client:
            url, _ = client.create_authorization_url(
                endpoint, state=attempt.state, code_verifier=attempt.verifier, nonce=attempt.nonce
            )
        return str(url)

    def person(self, attempt: OpenIdAttempt, state: str, code: str) -> OpenIdPerson:
        """Who came back with this code. Raises OpenIdRefused."""
        if not hmac.compare_digest(state.encode("utf-8", "replace"), attempt.state.encode("utf-8", "replace")):
            raise OpenIdRefused("state", "the state is that of another sign-in")
        claims = self._claims(self._id_token(attempt, code), attempt.nonce)
        try:
            changed_at = self._roles_file.stat().st_mtime_ns
        except OSError as error:
            raise OpenIdRefused("role", f"the table of roles cannot be read: {error}") from error
        return _person(claims, _roles(self._roles_file, changed_at), self._issuer)

    def _id_token(self, attempt: OpenIdAttempt, code: str) -> str:
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client() as client:
                token = client.fetch_token(endpoint, code=code, code_verifier=attempt.verifier)
        except (OAuthError, httpx.HTTPError, ValueError) as error:
            raise OpenIdRefused("provider", f"the code was not taken: {error}") from error
        found = token.get("id_token")
        if not isinstance(found, str):
            raise OpenIdRefused("token", "the provider answered without an ID token")
        return found

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of a token that is signed by a key of the issuer, for us, now, and for this sign-in."""
        try:
            found = jwt.decode(id_token, self._keys(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):  # perhaps the issuer has new keys
            try:
                found = jwt.decode(id_token, self._keys(fresh=True), algorithms=ALGORITHMS)
            except (JoseError, ValueError) as error:
                raise OpenIdRefused("token", f"the ID token is not signed by the issuer: {error}") from error
        wanted: dict[str, Any] = {
            "iss": {"essential": True, "value": self._issuer_of_discovery()},
            "aud": {"essential": True, "value": self._client_id},
            "nonce": {"essential": True, "value": nonce},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        try:
            jwt.JWTClaimsRegistry(leeway=_LEEWAY_SECONDS, **wanted).validate(found.claims)
        except (JoseError, ValueError) as error:
            raise OpenIdRefused("token", f"the ID token is not for this sign-in: {error}") from error
        audience = found.claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and found.claims.get("azp") != self._client_id:
            raise OpenIdRefused("token", "the ID token was issued to another client")
        return dict(found.claims)

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            self._client_id,
            self._secret,
            scope="openid email profile",
            redirect_uri=self._redirect,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            timeout=_SECONDS,
            trust_env=False,
        )

    def _endpoint(self, name: str) -> str:
        found = self._discovery().get(name)
        if not isinstance(found, str) or not is_safe(found):
            raise OpenIdRefused("provider", f"the provider's configuration has no https address as {name}")
        return found

    def _issuer_of_discovery(self) -> str:
        return str(self._discovery()["issuer"])

    def _discovery(self) -> dict[str, Any]:
        document = self._document(f"{self._issuer}/.well-known/openid-configuration")
        if str(document.get("issuer", "")).rstrip("/") != self._issuer:
            raise OpenIdRefused("provider", f"the configuration is of issuer {document.get('issuer')!r}")
        return document

    def _keys(self, *, fresh: bool = False) -> KeySet:
        document = self._document(self._endpoint("jwks_uri"), fresh=fresh)
        try:
            return KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise OpenIdRefused("provider", f"the provider's keys cannot be read: {error}") from error

    def _document(self, url: str, *, fresh: bool = False) -> dict[str, Any]:
        with self._lock:
            kept = self._kept.get(url)
        if kept and not fresh and time.monotonic() - kept[0] < _KEPT_SECONDS:
            return kept[1]
        try:
            with httpx.stream("GET", url, timeout=_SECONDS, trust_env=False) as answer:
                answer.raise_for_status()
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LONGEST_ANSWER:
                        raise OpenIdRefused("provider", f"{url} answers more than {_LONGEST_ANSWER:,} bytes")
            document = json.loads(body)
        except (httpx.HTTPError, ValueError) as error:
            raise OpenIdRefused("provider", f"{url}: {error}") from error
        if not isinstance(document, dict):
            raise OpenIdRefused("provider", f"{url} answers no object")
        with self._lock:
            self._kept[url] = time.monotonic(), document
        return document


def is_safe(url: str) -> bool:
    """Whether what is sent there is encrypted, or stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def read_roles(path: Path) -> OpenIdRoles:
    """Raises ValueError, which names the place and what is allowed there."""
    try:
        return OpenIdRoles.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeError, yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"{path}: {error}") from error


@lru_cache(maxsize=4)
def _roles(path: Path, _changed_at: int) -> OpenIdRoles:
    try:
        return read_roles(path)
    except ValueError as error:
        raise OpenIdRefused("role", f"the table of roles cannot be read: {error}") from error


def _person(claims: Mapping[str, Any], roles: OpenIdRoles, issuer: str) -> OpenIdPerson:
    """The first role of the file that the person has names the tenant; its other roles there add scopes."""
    held = claims.get(roles.claim, [])
    groups: Sequence[Any] = [held] if isinstance(held, str) else held if isinstance(held, list) else []
    mine = [role for group, role in roles.roles.items() if group in groups]
    if not mine:
        raise OpenIdRefused("role", f"no role for {claims['sub']!r} with {roles.claim} {groups!r:.200}")
    tenant = mine[0].tenant
    scopes = {scope for role in mine if role.tenant == tenant for scope in role.scopes}
    parts = urlsplit(issuer)
    name = f"{claims['sub']}@{parts.netloc}{parts.path}"
    email = claims.get("email")
    called = str(email) if isinstance(email, str) and claims.get("email_verified") is True else name
    if max(len(name), len(called)) > _MOST_CHARS or not (name + called).isprintable():
        raise OpenIdRefused("token", "the person's name is too long or has control characters")
    return OpenIdPerson(name, called, tenant, tuple(sorted(scopes)))
