"""`presswork models list`, `show`, `hash` and `check`: cards, and whether files match them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deploy.commands.models.options import MODELS_DIR, open_card, open_registry
from deploy.commands.shared.exit_status import exit_status
from workers.errors import WorkerError
from workers.sampling.contents import file_of, paths_in, revision_of
from workers.sampling.extras import AdapterCard, UpscalerCard
from workers.sampling.files.folder_rules import check_extra, check_folder


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


@click.command()
@click.argument("name")
@MODELS_DIR
def show(name: str, models_dir: Path) -> None:
    """Show the card of the model NAME."""
    registry, card = open_registry(models_dir), open_card(models_dir, name)
    lines = [
        f"{card.name}: {card.title}",
        card.description,
        "",
        f"licence        {card.licence}",
        f"allowed use    {card.allowed_use}",
        f"training data  {card.training_data}",
        *(f"               - {p.name}: {p.licence}, {p.copyright}; {p.use}" for p in card.training_pictures),
        f"revision       {card.revision} ({len(card.files)} files, {sum(f.bytes for f in card.files):,} bytes)",
        f"size           {card.width} x {card.height}, sides {card.min_side} to {card.max_side}",
        f"schedulers     {', '.join(card.schedulers)}",
        *(f"upscaler       {u.name}: {u.factor} times, {u.licence}" for u in registry.upscalers_of(card).values()),
        *(f"LoRA           {a.name}: {a.title}, {a.licence}" for a in registry.adapters_of(card).values()),
        f"knows          {', '.join(card.knows) or 'no list'}",
        f"colours        {', '.join(card.colours) or 'no list'}",
        f"backgrounds    {', '.join(card.backgrounds) or 'no list'}",
        "limits",
        *(f"  - {limit}" for limit in card.limits),
    ]
    click.echo("\n".join(lines))


@click.command("hash")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def hash_folder(folder: Path) -> None:
    """Print the `revision` and `files` lines of a card.

    Computes them from the model in FOLDER. Put them into its card.yaml.
    """
    files = [file_of(folder, path) for path in paths_in(folder)]
    click.echo(f"revision: {revision_of(files)}\nfiles:")
    for file in files:
        click.echo(f"  - {{path: {file.path}, bytes: {file.bytes}, sha256: {file.sha256}}}")


@click.command(epilog=exit_status("every file matches and every rule holds", "a file or a rule does not; it is named"))
@click.argument("name")
@MODELS_DIR
def check(name: str, models_dir: Path) -> None:
    """Check the files of the model NAME against its card.

    Applies every loading rule to the model, its upscalers and its LoRAs, as a worker does before it loads them.
    """
    card = open_card(models_dir, name)
    if card.source.folder is None:
        raise click.ClickException(f"{name} comes from the model hub; a worker checks it when it loads it")
    folder = card.home / card.source.folder
    registry = open_registry(models_dir)
    try:
        check_folder(card, folder, folder)
        extras: list[UpscalerCard | AdapterCard] = [*registry.upscalers_of(card).values()]
        for beside in (*extras, *registry.adapters_of(card).values()):
            check_extra(beside)
            click.echo(f"{beside.name}: matches its card ({beside.revision})")
    except WorkerError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name}: {len(card.files)} files, all match the card ({card.revision})")
