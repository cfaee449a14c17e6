"""`presswork models list`: one line a model."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deploy.commands.models.options import MODELS_DIR, open_registry


@click.command("list")
@MODELS_DIR
def list_models(models_dir: Path) -> None:
    """List the models, one line each."""
    registry = open_registry(models_dir)
    table = Table("model", "title", "licence", "size", "steps", "revision", box=None)
    for card in map(registry.get, registry.names()):
        size = f"{card.width} x {card.height}"
        table.add_row(card.name, card.title, card.licence, size, str(card.num_inference_steps), card.revision[:19])
    Console().print(table)
