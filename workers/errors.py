"""Errors of the job line. Two questions decide the class: may it be tried again, and who must act.

WorkerError
  + Transient            try again later; nobody has to act
  |   + LeaseLost        the batch was dispatched again while we worked; drop the result
  |   + Draining         the worker is shutting down; give the batch back
  |   + StoreUnavailable the object store refused or did not answer
  |   + BrokerUnavailable the broker refused or did not answer
  |   + WitnessRefused   a witness did not cosign a head of the ledger
  |   + HubUnavailable   the model hub did not answer, and the model is not in its cache
  |   + TooManyOpen      so many questions of this caller wait already
  |   + InFlight         the first request with this idempotency key is still running
  + Permanent            trying again changes nothing; somebody must act
      + ModelMissing     no such model folder or hub id, or its bytes are not those of its card
      + CardInvalid      a model card breaks its schema; the message names file and field
      + ModelRefused     the model holds a file that is not safetensors, or breaks another loading rule
      + OutOfMemory      a single image does not fit on the device
      + NotLocked        the bucket cannot lock objects, and a lock was asked for
      + DigestMismatch   the store holds other bytes under this key
      + NotFound         no such thing, or another tenant's
      + Conflict         the thing is in another state
      |   + UnderLegalHold   a legal hold covers it, so it must not be erased
      + Stale            the thing is not what the caller saw
      + NotReleasable    nobody may release this held picture
      + OwnCampaign      another person must decide about this campaign
      + AddressRefused   an address outside that we must not call
      + IdempotencyKeyReused the idempotency key belongs to another request
      + LimitExceeded    more was asked for than a documented limit allows
"""

from __future__ import annotations


class WorkerError(Exception):
    """Something in the job line went wrong."""


class Transient(WorkerError):
    """It may work later."""


class InFlight(Transient):
    """The first request with this idempotency key is still running."""


class TooManyOpen(Transient):
    """So many questions of this caller wait already."""


class WitnessRefused(Transient):
    """A witness did not cosign a head of the ledger."""


class HubUnavailable(Transient):
    """The model hub did not answer, and the model is not in its cache."""


class Permanent(WorkerError):
    """It will not work later either."""


class LeaseLost(Transient):
    """The batch was dispatched again while we worked on it."""


class Draining(Transient):
    """The worker is shutting down."""


class StoreUnavailable(Transient):
    """The object store refused or did not answer."""


class BrokerUnavailable(Transient):
    """The broker refused or did not answer."""


class ModelMissing(Permanent):
    """There is no such model here, or its bytes are not those its card names."""


class CardInvalid(Permanent):
    """A model card breaks its schema; the message names file and field."""


class ModelRefused(Permanent):
    """The model breaks a loading rule (only safetensors are loaded)."""


class OutOfMemory(Permanent):
    """A single image does not fit on the device."""


class NotLocked(Permanent):
    """The bucket cannot lock objects, and a lock was asked for."""


class DigestMismatch(Permanent):
    """The store holds other bytes under this key."""


class NotFound(Permanent):
    """There is no such thing for this tenant."""


class Conflict(Permanent):
    """The thing is in a state that does not allow this."""


class Stale(Permanent):
    """The thing is not what the caller saw."""


class NotReleasable(Permanent):
    """Nobody may release this held picture; it can be refused."""


class OwnCampaign(Permanent):
    """Another person must decide about this campaign."""


class AddressRefused(Permanent):
    """An address outside that we must not call: it is not public, or not over TLS."""


class UnderLegalHold(Conflict):
    """A legal hold covers what was to be erased."""


class IdempotencyKeyReused(Permanent):
    """The idempotency key belongs to another request."""


class LimitExceeded(Permanent):
    """More was asked for than a documented limit allows."""


def code_of(error: type[Exception]) -> str:
    """ "store_unavailable" from StoreUnavailable: the stable code of an error class, in events, logs and metrics."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in error.__name__).lstrip("_")
