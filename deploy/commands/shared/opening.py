"""How the commands that read the ledger come by it: settings of the auditor, public keys, a connection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from pydantic import ValidationError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from deploy.errors import DeployError
from policy.errors import PolicyError
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.tree.notes import Vkey
from policy.ledger.witnesses.witness_policy import WitnessPolicy
from workers.database import make_engine
from workers.errors import WorkerError
from workers.settings import Settings

_DATABASE_URL = "PRESSWORK_DATABASE_URL"


class CannotTell(click.ClickException):
    """Neither intact nor tampered with: the ledger, its keys or its anchor could not be read."""

    exit_code = 2


def auditor_settings(data: Path) -> Settings:
    """The embedded stack's auditor, unless the environment describes an installation and no --data was given."""
    given = click.get_current_context().get_parameter_source("data")
    try:
        if given is ParameterSource.DEFAULT and _DATABASE_URL in os.environ:
            return Settings()
        from deploy.commands.stack import attached  # noqa: PLC0415 - an installation need not have the embedded parts
        from deploy.embedded.environment import settings_of, with_second_anchor_of  # noqa: PLC0415

        values: dict[str, Any] = dict(with_second_anchor_of(os.environ, settings_of(attached(data), "auditor")))
        return Settings(**{name.removeprefix("PRESSWORK_").lower(): value for name, value in values.items()})
    except (ValidationError, DeployError) as error:
        raise CannotTell(str(error)) from error


def vkeys_of(settings: Settings) -> tuple[Vkey, ...]:
    if settings.ledger_vkeys is None:
        raise CannotTell(
            "no public keys. Remedy: PRESSWORK_LEDGER_VKEYS names the file that the sealer's owner gave you"
        )
    with _told():
        return load_vkeys(settings.ledger_vkeys)


def witnesses_of(settings: Settings) -> WitnessPolicy | None:
    """The witness policy that the settings name, if they do."""
    with _told():
        return WitnessPolicy.load(settings.witness_policy) if settings.witness_policy else None


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with the auditor's own files says nothing against the log."""
    try:
        yield
    except PolicyError as error:
        raise CannotTell(str(error)) from error


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Connection]:
    """A connection that reads the ledger."""
    with ledger_engine(settings) as engine, engine.connect() as conn:
        yield conn


@contextmanager
def ledger_engine(settings: Settings) -> Iterator[Engine]:
    """Connections that read the ledger, one at a time."""
    url = settings.auditor_database_url or settings.database_url
    engine = make_engine(url.get_secret_value(), name="audit", pool_size=1)
    try:
        yield engine
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip()
        raise CannotTell(f"cannot read the ledger: {' '.join(said.split())}") from error
    except WorkerError as error:
        raise CannotTell(
            f"cannot read the anchor: {error}. Remedy: --no-anchor proves what can be proven without"
        ) from error
    finally:
        engine.dispose()
