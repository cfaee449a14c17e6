"""Audit events: one frozen class per thing that can happen, and `KINDS`, the names of them all.

line       requests, batches, items, links
control    requests that are paused, resumed, changed, over
files      files of clients of the OpenAI API, batch jobs
inputs     pictures that tenants send in
people     reviews, recalls, erasures, legal holds, questions
registers  tenants, API keys, webhooks, rule sets, models and decisions, verifiers, restored databases
event      what every event is: kind, payload, private text, subjects
"""

from policy.events.control import (
    BudgetChanged,
    PilotAccepted,
    PilotReady,
    PilotRejected,
    RequestChanged,
    RequestExpired,
    RequestFinished,
    RequestPaused,
    RequestResumed,
)
from policy.events.event import Event, Private
from policy.events.files import (
    BatchJobCancelled,
    BatchJobCreated,
    BatchJobFailed,
    BatchJobStarted,
    FileDeleted,
    FileStored,
)
from policy.events.inputs import InputFailed, InputReceived, InputScreened, InputWithdrawn
from policy.events.line import (
    AssetDownloaded,
    AssetLinked,
    BatchAbandoned,
    BatchClaimed,
    BatchDispatched,
    BatchExpired,
    BatchFinished,
    BatchReturned,
    ItemCancelled,
    ItemFailed,
    ItemHeld,
    ItemRefused,
    ItemReleased,
    ItemRewritten,
    PictureDiscarded,
    RequestAccepted,
    RequestCancelled,
)
from policy.events.people import (
    AssetRecalled,
    ErasureFinished,
    ErasureOrdered,
    HoldViewed,
    ItemReviewed,
    LegalHoldLifted,
    LegalHoldPlaced,
    PictureErased,
    PictureIdentified,
    RecallFinished,
    RecallOrdered,
    TextErased,
)
from policy.events.registers import (
    DatabaseRestored,
    KeyCreated,
    KeyRevoked,
    ModelApproved,
    ModelRegistered,
    ModelRetired,
    PolicyRegistered,
    TenantCreated,
    VerifierRegistered,
    WebhookChanged,
)

__all__ = [
    "KINDS",
    "AssetDownloaded",
    "AssetLinked",
    "AssetRecalled",
    "BatchAbandoned",
    "BatchClaimed",
    "BatchDispatched",
    "BatchExpired",
    "BatchFinished",
    "BatchJobCancelled",
    "BatchJobCreated",
    "BatchJobFailed",
    "BatchJobStarted",
    "BatchReturned",
    "BudgetChanged",
    "DatabaseRestored",
    "ErasureFinished",
    "ErasureOrdered",
    "Event",
    "FileDeleted",
    "FileStored",
    "HoldViewed",
    "InputFailed",
    "InputReceived",
    "InputScreened",
    "InputWithdrawn",
    "ItemCancelled",
    "ItemFailed",
    "ItemHeld",
    "ItemRefused",
    "ItemReleased",
    "ItemReviewed",
    "ItemRewritten",
    "KeyCreated",
    "KeyRevoked",
    "LegalHoldLifted",
    "LegalHoldPlaced",
    "ModelApproved",
    "ModelRegistered",
    "ModelRetired",
    "PictureDiscarded",
    "PictureErased",
    "PictureIdentified",
    "PilotAccepted",
    "PilotReady",
    "PilotRejected",
    "PolicyRegistered",
    "Private",
    "RecallFinished",
    "RecallOrdered",
    "RequestAccepted",
    "RequestCancelled",
    "RequestChanged",
    "RequestExpired",
    "RequestFinished",
    "RequestPaused",
    "RequestResumed",
    "TenantCreated",
    "TextErased",
    "VerifierRegistered",
    "WebhookChanged",
]

KINDS = frozenset(event.kind for event in Event.__subclasses__())
