"""`--models-dir`, and the registry that lies there."""

from __future__ import annotations

from pathlib import Path

import click

from workers.errors import WorkerError
from workers.sampling.registry import ModelCard, Registry
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
