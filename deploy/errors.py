"""Errors of the deployments. Each message names the part, the place and the remedy.

DeployError
  + AlreadyRunning   another supervisor holds this data directory
  + NotRunning       there is no running stack in this data directory
  + PartMissing      a program that should have come with the installation is not there
  + PartFailed       a part did not start, or stopped before it was ready
  + DataUnusable     the data directory cannot be used by this version
  + CallFailed       the API refused or did not answer a call of the command line
"""

from __future__ import annotations


class DeployError(Exception):
    """Something in a deployment went wrong."""


class AlreadyRunning(DeployError):
    """Another supervisor holds this data directory."""


class NotRunning(DeployError):
    """There is no running stack in this data directory."""


class PartMissing(DeployError):
    """A program that should have come with the installation is not there."""


class PartFailed(DeployError):
    """A part did not start, or stopped before it was ready."""


class DataUnusable(DeployError):
    """The data directory cannot be used by this version."""


class CallFailed(DeployError):
    """The API refused or did not answer."""
