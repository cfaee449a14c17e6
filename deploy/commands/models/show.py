"""`presswork models show`: the card of a model."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.models.options import MODELS_DIR, open_card, open_registry


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
        *(f"{task:14} {one.name}: {one.title}, {one.licence}" for task, one in registry.references_of(card).items()),
        f"knows          {', '.join(card.knows) or 'no list'}",
        f"colours        {', '.join(card.colours) or 'no list'}",
        f"backgrounds    {', '.join(card.backgrounds) or 'no list'}",
        "limits",
        *(f"  - {limit}" for limit in card.limits),
    ]
    click.echo("\n".join(lines))
