"""Events of registration: tenants, API keys, webhooks, and the documents that decide (rule sets and model cards)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policy.events.event import Event, Private


@dataclass(frozen=True, slots=True)
class TenantCreated(Event):
    """A tenant may now submit, with this many turns for every turn of a tenant of weight 1."""

    kind: ClassVar[str] = "tenant.created"
    weight: int


@dataclass(frozen=True, slots=True)
class KeyCreated(Event):
    """An API key was handed out. Only its hash is stored."""

    kind: ClassVar[str] = "key.created"
    key_id: str
    name: str
    scopes: tuple[str, ...]
    person: Private | None = None  # whose key it is, where that was said
    daily_images: int | None = None  # of an agent's key


@dataclass(frozen=True, slots=True)
class KeyRevoked(Event):
    """An API key stopped working."""

    kind: ClassVar[str] = "key.revoked"
    key_id: str


@dataclass(frozen=True, slots=True)
class PolicyRegistered(Event):
    """A rule set was first used. Its text is kept under this digest, so that an auditor can read it years later."""

    kind: ClassVar[str] = "policy.registered"
    policy_version: str
    name: str

    def subjects(self) -> tuple[str, ...]:
        return (f"policy:{self.policy_version}",)


@dataclass(frozen=True, slots=True)
class PolicyApproved(Event):
    """A person approved a rule set, by the digest of its text."""

    kind: ClassVar[str] = "policy.approved"
    policy_version: str
    name: str
    person: Private  # who approved it
    reason: Private

    def subjects(self) -> tuple[str, ...]:
        return (f"policy:{self.policy_version}",)


@dataclass(frozen=True, slots=True)
class ModelRegistered(Event):
    """A model revision was first used. The text of its card is kept under `card_sha256`."""

    kind: ClassVar[str] = "model.registered"
    model: str
    model_revision: str
    licence: str
    card_sha256: str

    def subjects(self) -> tuple[str, ...]:
        return (f"model:{self.model}", f"revision:{self.model_revision}")


@dataclass(frozen=True, slots=True)
class ModelApproved(Event):
    """A person approved a model revision: for the installation, or as an admin of one tenant for that tenant."""

    kind: ClassVar[str] = "model.approved"
    model: str
    model_revision: str
    person: Private  # who decided
    reason: Private
    tenants: tuple[str, ...] | None  # who may use it; None: every tenant
    expires: str | None  # the last day, in UTC

    def subjects(self) -> tuple[str, ...]:
        return (f"model:{self.model}", f"revision:{self.model_revision}")


@dataclass(frozen=True, slots=True)
class ModelRetired(Event):
    """A person decided that no new request may use a model revision. What was accepted before is still made."""

    kind: ClassVar[str] = "model.retired"
    model: str
    model_revision: str
    person: Private  # who decided
    reason: Private

    def subjects(self) -> tuple[str, ...]:
        return (f"model:{self.model}", f"revision:{self.model_revision}")


@dataclass(frozen=True, slots=True)
class VerifierRegistered(Event):
    """A verifier of evidence packs was first shipped here. Its program is kept under `verifier_sha256`."""

    kind: ClassVar[str] = "verifier.registered"
    verifier_sha256: str
    format: str  # of the packs that it reads

    def subjects(self) -> tuple[str, ...]:
        return (f"verifier:{self.verifier_sha256}",)


@dataclass(frozen=True, slots=True)
class DatabaseRestored(Event):
    """A person put a dump back. What happened between the dump and this event is not in the database."""

    kind: ClassVar[str] = "database.restored"
    dump_sha256: str
    taken_at: str  # by the clock of the server that was dumped
    revision: str
    size: int  # leaves of the newest signed head in the dump
    root: str | None
    person: Private  # who did it
    reason: Private

    def subjects(self) -> tuple[str, ...]:
        return (f"dump:{self.dump_sha256}",)


@dataclass(frozen=True, slots=True)
class WebhookChanged(Event):
    """A webhook endpoint was created, changed or deleted, its secret rotated, or a message to it asked for."""

    kind: ClassVar[str] = "webhook.changed"
    webhook_id: str
    change: str  # created | updated | rotated | enabled | disabled | deleted | tested | resent
    events: tuple[str, ...]  # what it is told
    url: Private  # an address may hold a token
