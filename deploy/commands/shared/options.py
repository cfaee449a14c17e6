"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

HOUSE = Path(__file__).resolve().parents[3]
DEFAULT_DATA = HOUSE / ".presswork"


def data_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--data DIR: which embedded stack."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT_DATA,
        envvar="PRESSWORK_DATA",
        show_default=".presswork in the checkout",
        help="Data directory of the embedded stack.",
    )(function)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the operating system refuses inside is said of this path, with exit code 1."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror or error}") from error


def shown(path: Path) -> str:
    """A path as a person in the current folder would type it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
