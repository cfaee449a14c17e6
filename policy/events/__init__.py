"""Audit events: one frozen class per thing that can happen, and `KINDS`, the names of them all.

line       requests, batches, items, links
control    requests that are paused, resumed, changed, over
files      files of clients of the OpenAI API, batch jobs
people     reviews, recalls, erasures, legal holds, questions
registers  tenants, API keys, webhooks, rule sets, model cards and decisions about models, verifiers
event      what every event is: kind, payload, private text, subjects
"""

from policy.events.control import (
    BudgetChanged,
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
    "ErasureFinished",
    "ErasureOrdered",
    "Event",
    "FileDeleted",
    "FileStored",
    "HoldViewed",
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
