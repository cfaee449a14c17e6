"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from deploy.client.address import asked
from deploy.commands.shared.files import short_path

_ROOT = Path(__file__).resolve().parents[3]
_IS_CHECKOUT = (_ROOT / "pyproject.toml").exists()  # an installed wheel lies in a folder that belongs to Python
DEFAULT_DATA = (_ROOT if _IS_CHECKOUT else Path.cwd()) / ".presswork"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def data_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--data DIRECTORY: which embedded stack."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT_DATA,
        envvar="PRESSWORK_DATA",
        show_envvar=True,
        metavar="DIRECTORY",
        show_default=f".presswork in the {'checkout' if _IS_CHECKOUT else 'current folder'}",
        help="Data directory of the embedded stack.",
    )(function)


def given_data(data: Path) -> str:
    """The --data option to print after a suggested command; empty for the default."""
    return "" if data == DEFAULT_DATA else f" --data {short_path(data)}"


def tenant_option(help: str = "Only data of this tenant.", *, required: bool = False) -> Decorator:
    """--tenant TENANT."""
    return click.option("--tenant", metavar="TENANT", required=required, help=help)


def json_option(help: str = "Print one JSON object.") -> Decorator:
    """--json, given to the command as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--url URL: which installation. Kept beside the command, whose calls find it (deploy/client/address.py)."""
    return click.option(
        "--url",
        metavar="URL",
        envvar="PRESSWORK_URL",
        show_envvar=True,
        expose_value=False,
        is_eager=True,
        callback=lambda ctx, param, url: asked.set(replace(asked.get(), url=url)),
        show_default="the embedded stack",
        help="Address of the installation, such as https://presswork.example.com.",
    )(function)


def key_file_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--key-file FILE: which key. Kept beside the command, as the url is."""
    return click.option(
        "--key-file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        expose_value=False,
        is_eager=True,
        callback=lambda ctx, param, file: asked.set(replace(asked.get(), key_file=file)),
        show_default="PRESSWORK_KEY, PRESSWORK_KEY_FILE or the keyring; of the embedded stack its first key",
        help="File that holds the API key.",
    )(function)


def api_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--url, --key-file and --data, for a command that calls the API."""
    return url_option(key_file_option(data_option(function)))
