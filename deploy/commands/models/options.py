"""`--models-dir` with the registry that lies there, and the database of an installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from deploy.commands.shared.settings import installation_settings
from workers.database import make_engine
from workers.errors import WorkerError
from workers.sampling.cards.registry import ModelCard, Registry
from workers.settings import Settings

MODELS_DIR = click.option(
    "--models-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PRESSWORK_MODELS_DIR",
    show_envvar=True,
    default=Settings.model_fields["models_dir"].default,
    metavar="DIRECTORY",
    show_default="models of the installation",
    help="Folder that holds one folder per model, each with a card.yaml.",
)


def open_registry(models_dir: Path) -> Registry:
    try:
        return Registry.load(models_dir)
    except WorkerError as error:
        raise click.ClickException(str(error)) from error


def open_card(models_dir: Path, name: str) -> ModelCard:
    try:
        return open_registry(models_dir).get(name)
    except WorkerError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def database(data: Path, role: str = "worker") -> Iterator[Connection]:
    """A transaction with a login that decides for the whole installation. Commits at the end."""
    engine = make_engine(installation_settings(data, role).database_url.get_secret_value(), name="models-command")
    try:
        with engine.begin() as conn:
            yield conn
    except SQLAlchemyError as error:
        raise click.ClickException(f"the database did not answer: {getattr(error, 'orig', error)}") from error
    finally:
        engine.dispose()
