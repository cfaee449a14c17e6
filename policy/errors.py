"""Errors of the policy package.

PolicyError
  + PolicyUnavailable     a rule set, classifier or its weights cannot be used; hold, do not release
  |   + RulesNotApproved  too few people approved the rule set
  + RulesInvalid          a rule set file breaks its schema; the message names the place
  + MarkError             the picture could not be marked; it must not leave
  |   + MarkUnreadable    the watermark does not read back from the final bytes
  |   + ManifestInvalid   the signed manifest does not validate on the final bytes
  |   + SigningUnavailable  no usable key or certificate; wait, never release unsigned
  + PictureUnreadable     bytes from outside that are no picture we open, or a larger one than we open
  |   + PictureRefused    says so with a code (policy/intake)
  + ExportUnavailable     the library that writes this format is not installed
  + LedgerError           the audit ledger is not what it should be
      + NotProvable       there is no such event, asset or head, or it is not sealed yet
      |   + NotSealedYet  it is recorded, and can be proven after the next seal
      + TooMuch           more was asked for than a pack holds
      + BrokenLedger      an entry, leaf or checkpoint was edited, deleted, reordered or cut off
      + LedgerBehind      the database holds less than an anchored checkpoint: refuse to sign
      + UnknownKey        a checkpoint is signed by a key nobody told us to trust
      + ListTooOld        a revocation list is older than one that is known
"""

from __future__ import annotations


class PolicyError(Exception):
    """An operation of the policy package failed."""


class PolicyUnavailable(PolicyError):
    """A rule set, classifier or its weights cannot be used."""


class RulesNotApproved(PolicyUnavailable):
    """Fewer people approved the rule set than the installation asks for."""


class RulesInvalid(PolicyError):
    """A rule set file breaks its schema."""


class MarkError(PolicyError):
    """The picture could not be marked."""


class MarkUnreadable(MarkError):
    """The watermark does not read back from the final bytes."""


class ManifestInvalid(MarkError):
    """The signed manifest does not validate on the final bytes."""


class SigningUnavailable(MarkError):
    """There is no usable signing key or certificate."""


class PictureUnreadable(PolicyError):
    """The bytes are not a picture of a format that is read, within the limits."""


class PictureRefused(PictureUnreadable):
    """The bytes are not a picture that we open; the code says why."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


class ExportUnavailable(PolicyError):
    """The library that writes this format is not installed."""


class LedgerError(PolicyError):
    """The audit ledger is not as it should be."""


class NotProvable(LedgerError):
    """There is no such event, asset or tree head, or it is not sealed yet."""


class NotSealedYet(NotProvable):
    """It is recorded. It can be proven after the next seal, seconds later."""


class TooMuch(LedgerError):
    """The request asks for more than a pack holds."""


class BrokenLedger(LedgerError):
    """The ledger was edited, cut, reordered or extended by a third party."""


class LedgerBehind(LedgerError):
    """The database holds fewer entries than an anchored checkpoint."""


class UnknownKey(LedgerError):
    """The checkpoint is signed by no trusted key."""


class ListTooOld(LedgerError):
    """A newer revocation list is known to exist."""
