"""Errors of jobs. Two questions decide the class: can a repetition succeed, and who must act.

WorkerError
  + Transient                 a repetition can succeed; nobody has to act
  |   + LeaseLost             the batch was dispatched again while we worked on it; drop the result
  |   + Draining              the worker is shutting down; return the batch
  |   + StoreUnavailable      the object store failed the call, or did not answer
  |   |   + StoreRefused      the object store refuses this worker: secret, right, or a clock that is off
  |   + DeviceFailed          the device failed; this process cannot use it any more
  |   + LedgerRefused         the sealer refuses to sign, so nothing is released
  |   + BrokerUnavailable     the broker refused the call, or did not answer
  |   + WitnessRefused        a witness refused to cosign a head of the ledger, or did not answer
  |   + ScreenUnavailable     a classifier did not answer, so nobody knows whether a model may see this input
  |   + HubUnavailable        the model hub did not answer, and the model is not in its cache
  |   + TooManyOpen           the caller has too many open identifications
  |   + TooManyInputs         too many inputs of the tenant wait to be looked at
  |   + TooManySecrets        as many secrets of a webhook sign as a message has room for
  |   + InFlight              the first request with this idempotency key is still running
  + Permanent                 a repetition fails again; a person must act
      + ModelMissing          the model is not installed, or its files differ from its card
      + CardInvalid           a model card breaks its schema; the message names file and field
      + ModelRefused          the model breaks a loading rule, such as safetensors only
      + MaskRefused           the mask cannot be used, or the picture has no product that could be found
      + OutOfMemory           a single image does not fit into the device's memory
      + NotLocked             an object lock was requested, and the bucket does not support it
      + DigestMismatch        the store holds other bytes under this key
      + NotFound              it does not exist, or it belongs to another tenant
      + Conflict              its current state does not allow this
      |   + UnderLegalHold    a legal hold covers it, so it must not be erased
      + Stale                 it changed since the caller read it
      + NotReleasable         nobody may release this held image; it can be refused
      + OwnCampaign           another person must decide about this campaign
      + PilotFailed           more images of the pilot are bad than its acceptance allows
      + AddressRefused        the address is not public, or not reached over TLS
      + IdempotencyKeyReused  the idempotency key belongs to another request
      + BudgetExceeded        the budget of the tenant or of the API key has too little left
      + LimitExceeded         the request exceeds a documented limit
"""

from __future__ import annotations


class WorkerError(Exception):
    """A job failed."""


class Transient(WorkerError):
    """A repetition can succeed."""


class InFlight(Transient):
    """The first request with this idempotency key is still running."""


class WitnessRefused(Transient):
    """A witness refused to cosign a head of the ledger, or did not answer."""


class HubUnavailable(Transient):
    """The model hub did not answer, and the model is not in its cache."""


class Permanent(WorkerError):
    """A repetition fails again."""


class ScreenUnavailable(Transient):
    """A classifier did not answer, so nobody knows whether a model may see this input."""


class LeaseLost(Transient):
    """The batch was dispatched again while we worked on it."""


class Draining(Transient):
    """The worker is shutting down."""


class StoreUnavailable(Transient):
    """The object store failed the call, or did not answer."""


class StoreRefused(StoreUnavailable):
    """The object store refuses this worker: secret, right, or a clock that is off."""


class DeviceFailed(Transient):
    """The device failed; this process cannot use it any more."""


class LedgerRefused(Transient):
    """The sealer refuses to sign, so nothing is released."""


class BrokerUnavailable(Transient):
    """The broker refused the call, or did not answer."""


class TooManyOpen(Transient):
    """The caller has too many open identifications."""


class TooManyInputs(Transient):
    """Too many inputs of the tenant wait to be looked at."""


class TooManySecrets(Transient):
    """As many secrets of a webhook sign as a message has room for. The first ends in so many seconds."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ModelMissing(Permanent):
    """The model is not installed, or its files differ from its card."""


class CardInvalid(Permanent):
    """A model card breaks its schema; the message names file and field."""


class ModelRefused(Permanent):
    """The model breaks a loading rule, such as safetensors only."""


class MaskRefused(Permanent):
    """The mask cannot be used, or the picture has no product that could be found."""


class OutOfMemory(Permanent):
    """A single image does not fit into the device's memory."""


class NotLocked(Permanent):
    """An object lock was requested, and the bucket does not support it."""


class DigestMismatch(Permanent):
    """The store holds other bytes under this key."""


class NotFound(Permanent):
    """It does not exist, or it belongs to another tenant."""


class Conflict(Permanent):
    """Its current state does not allow this."""


class Stale(Permanent):
    """It changed since the caller read it."""


class NotReleasable(Permanent):
    """Nobody may release this held image; it can be refused."""


class OwnCampaign(Permanent):
    """Another person must decide about this campaign."""


class PilotFailed(Permanent):
    """More images of the pilot are bad than its acceptance allows."""


class AddressRefused(Permanent):
    """The address is not public, or not reached over TLS."""


class UnderLegalHold(Conflict):
    """A legal hold covers it, so it must not be erased."""


class IdempotencyKeyReused(Permanent):
    """The idempotency key belongs to another request."""


class BudgetExceeded(Permanent):
    """The budget of the tenant or of the API key has too little left."""


class LimitExceeded(Permanent):
    """The request exceeds a documented limit."""


def code_of(error: type[Exception]) -> str:
    """ "store_unavailable" from StoreUnavailable: the stable code of an error class, in events, logs and metrics."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in error.__name__).lstrip("_")
