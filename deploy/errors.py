"""Errors of the deployments. Each message names the component, the place and the remedy.

DeployError
  + AlreadyRunning   another supervisor holds this data directory
  + NotRunning       no stack is running on this data directory
  + ExtraMissing     an extra of the distribution is not installed
  + ProgramMissing   a program that the installation should contain is not there
  + ComponentFailed  a component did not start, or stopped before it was ready
  + DataUnusable     this version cannot use the data directory
  + SettingsInvalid  the settings are incomplete or contradict each other
  + AddressInvalid   the address of an installation or the key for it cannot be used
  + FetchFailed      files of a request could not be fetched
  + CallFailed       the API refused a call of the command line, or did not answer
"""

from __future__ import annotations


class DeployError(Exception):
    """A deployment failed."""


class AlreadyRunning(DeployError):
    """Another supervisor holds this data directory."""


class NotRunning(DeployError):
    """No stack is running on this data directory."""


class ExtraMissing(DeployError):
    """An extra of the distribution is not installed."""


class ProgramMissing(DeployError):
    """A program that the installation should contain is not there."""


class ComponentFailed(DeployError):
    """A component did not start, or stopped before it was ready."""


class DataUnusable(DeployError):
    """This version cannot use the data directory."""


class SettingsInvalid(DeployError):
    """The settings are incomplete or contradict each other."""


class CallFailed(DeployError):
    """The API refused the call, or did not answer."""


class AddressInvalid(DeployError):
    """The address of an installation or the key for it cannot be used."""


class FetchFailed(DeployError):
    """Files of a request could not be fetched."""
