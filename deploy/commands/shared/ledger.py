"""Ledger access of the commands: a connection with the auditor's login, public keys, witness policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.exit_status import Undetermined
from deploy.commands.shared.settings import installation_settings
from deploy.errors import DeployError
from policy.errors import PolicyError
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.tree.notes import Vkey
from policy.ledger.witnesses.witness_policy import WitnessPolicy
from workers.database import make_engine
from workers.errors import WorkerError
from workers.settings import Settings


def auditor_settings(data: Path) -> Settings:
    """The auditor's settings. Raises Undetermined, as everything here: a fault of the caller's files proves nothing."""
    try:
        return installation_settings(data, "auditor")
    except DeployError as error:
        raise Undetermined(str(error)) from error


def vkeys_of(settings: Settings) -> tuple[Vkey, ...]:
    """The public keys that the settings name."""
    if settings.ledger_vkeys is None:
        raise Undetermined(
            "there are no public keys. Remedy: set PRESSWORK_LEDGER_VKEYS to the file from the sealer's owner"
        )
    return vkeys_in(settings.ledger_vkeys)


def vkeys_in(path: Path) -> tuple[Vkey, ...]:
    """The public keys in a file."""
    with _inconclusive():
        return load_vkeys(path)


def witnesses_of(settings: Settings) -> WitnessPolicy | None:
    """The witness policy that the settings name, if they name one."""
    with _inconclusive():
        return WitnessPolicy.load(settings.witness_policy) if settings.witness_policy else None


@contextmanager
def _inconclusive() -> Iterator[None]:
    """A fault of the auditor's own files is no evidence against the ledger."""
    try:
        yield
    except PolicyError as error:
        raise Undetermined(str(error)) from error


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Connection]:
    """A connection that can read the ledger."""
    with ledger_engine(settings) as engine, engine.connect() as conn:
        yield conn


@contextmanager
def ledger_engine(settings: Settings) -> Iterator[Engine]:
    """An engine of one connection that can read the ledger."""
    url = settings.auditor_database_url or settings.database_url
    engine = make_engine(url.get_secret_value(), name="audit", pool_size=1)
    try:
        yield engine
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        raise Undetermined(f"cannot read the ledger: {' '.join(reason.split())}") from error
    except WorkerError as error:
        raise Undetermined(
            f"cannot read the anchor: {error}. Remedy: verify without anchors, with --no-anchor"
        ) from error
    finally:
        engine.dispose()
