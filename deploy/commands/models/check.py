"""`presswork models check`: whether files match their card, by every loading rule."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.models.options import MODELS_DIR, open_card, open_registry
from deploy.commands.shared.exit_status import exit_status
from workers.errors import WorkerError
from workers.sampling.cards.extras import AdapterCard, UpscalerCard
from workers.sampling.cards.references import ReferenceCard
from workers.sampling.files.folder_rules import check_extra, check_folder


@click.command(epilog=exit_status("every file matches and every rule holds", "a file or a rule does not; it is named"))
@click.argument("name")
@MODELS_DIR
def check(name: str, models_dir: Path) -> None:
    """Check the files of the model NAME against its card.

    Applies every loading rule to the model, its upscalers, LoRAs and reference networks, as a worker
    does before it loads them.
    """
    card = open_card(models_dir, name)
    if card.source.folder is None:
        raise click.ClickException(f"{name} comes from the model hub; a worker checks it when it loads it")
    folder = card.home / card.source.folder
    registry = open_registry(models_dir)
    try:
        check_folder(card, folder, folder)
        extras: list[UpscalerCard | AdapterCard | ReferenceCard] = [*registry.upscalers_of(card).values()]
        extras += [one for one in registry.references.values() if one.base.name == card.name]
        for beside in (*extras, *registry.adapters_of(card).values()):
            check_extra(beside)
            click.echo(f"{beside.name}: matches its card ({beside.revision})")
    except WorkerError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name}: {len(card.files)} files, all match the card ({card.revision})")
