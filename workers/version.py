"""Version of this installation, for manifests and the API."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("presswork")
