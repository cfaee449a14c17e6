"""Address of an installation and the key for it: from options, the environment, a keyring, or the embedded stack.

    url   --url, PRESSWORK_URL, else the embedded stack
    key   --key-file, PRESSWORK_KEY, PRESSWORK_KEY_FILE, else the keyring (service `presswork`, user: the url),
          else the embedded stack's first key, for the embedded stack only

A key is sent over HTTPS only, or to this machine: whoever listens on the way would own the tenant.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.errors import AddressInvalid

SERVICE = "presswork"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to call, and with which key."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of the running command say."""

    url: str | None = None
    key_file: Path | None = None


# Set by the options --url and --key-file before the command runs, so that no command has to pass them on.
_NOTHING = Asked()
asked: ContextVar[Asked] = ContextVar("asked", default=_NOTHING)


def address_of(data: Path, embedded_key: Path | None = None) -> Address:
    """The address for a command. Raises AddressInvalid, and NotRunning where it is the embedded stack."""
    url = asked.get().url or os.environ.get("PRESSWORK_URL")
    if not url:
        return _embedded(data, asked.get().key_file or embedded_key)
    return Address(checked_url(url), _key(url))


def _embedded(data: Path, key_file: Path | None = None) -> Address:
    """The embedded stack's API, with the key in the file or its first key. Raises NotRunning."""
    from deploy.embedded import background  # noqa: PLC0415 - a client of a distant installation needs no stack
    from deploy.embedded.passwords import api_key_file  # noqa: PLC0415

    state = background.require_running(data)
    return Address(f"http://127.0.0.1:{state.ports['api']}", _read(key_file or api_key_file(data)))


def checked_url(url: str) -> str:
    """The url without a slash at its end. Raises AddressInvalid."""
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname or split.username or split.query or split.fragment:
        raise AddressInvalid(f"{url!r} is no address. Remedy: write it like https://presswork.example.com")
    if split.scheme == "http" and split.hostname not in _LOOPBACK:
        raise AddressInvalid(f"{url} has no TLS, and the key would be read on the way. Remedy: use https")
    return url.rstrip("/")


def _key(url: str) -> str:
    if (file := asked.get().key_file) is not None:
        return _read(file)
    if key := os.environ.get("PRESSWORK_KEY"):
        return key.strip()
    if named := os.environ.get("PRESSWORK_KEY_FILE"):
        return _read(Path(named))
    if key := _from_keyring(url):
        return key
    raise AddressInvalid(
        f"there is no key for {url}. Remedy: set PRESSWORK_KEY, give --key-file, or store it:"
        f" python -m keyring set {SERVICE} {url}"
    )


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise AddressInvalid(f"cannot read the key in {file}: {error.strerror or error}") from error


def _from_keyring(url: str) -> str | None:
    try:
        import keyring  # noqa: PLC0415 - an extra
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        return None
    try:
        stored: str | None = keyring.get_password(SERVICE, url.rstrip("/"))
    except KeyringError:  # no keyring on this machine, or a locked one: the remedy names the other ways
        return None
    return stored
