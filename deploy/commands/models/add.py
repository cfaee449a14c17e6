"""`presswork models add`: from what people download to a folder with a card."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.models.options import MODELS_DIR
from workers.errors import WorkerError
from workers.sampling.families.presets import PRESETS

if TYPE_CHECKING:
    from workers.sampling.files.new_card import Stated
    from workers.sampling.files.sources import ModelOrigin

_QUESTIONS = {
    "licence": "Licence of the weights",
    "training_data_licence": "Licence of the training data",
    "training_data": "What was it trained on",
    "owner": "Who answers for its use",
    "allowed_use": "What may it be used for",
}


@click.command()
@click.argument("source")
@MODELS_DIR
@click.option("--name", metavar="NAME", show_default="the last part of SOURCE", help="Name of the model in requests.")
@click.option("--like", metavar="MODEL", show_default="none", help="Installed model or folder of the same family: what"
              " a single file takes its configuration and tokenizers from.")  # fmt: skip
@click.option("--licence", metavar="TEXT", show_default="asked for", help="Licence of the weights.")
@click.option("--training-data-licence", metavar="TEXT", show_default="asked for", help="Licence of the training data.")
@click.option("--training-data", metavar="TEXT", show_default="asked for", help="What it was trained on.")
@click.option("--owner", metavar="TEXT", show_default="asked for", help="Who answers for its use.")
@click.option("--allowed-use", metavar="TEXT", show_default="asked for", help="What it may be used for.")
@click.option("--expires", metavar="DATE", show_default="never", type=click.DateTime(["%Y-%m-%d"]),
              help="The last day on which it may be used.")  # fmt: skip
@click.option("--side", metavar="PIXELS", type=click.IntRange(8, 8192), show_default="from its configuration",
              help="Native width and height.")  # fmt: skip
@click.option("--preset", type=click.Choice([*PRESETS]), show_default="none", metavar="PRESET",
              help=f"For a distilled model, its few steps and its guidance: {', '.join(PRESETS)}.")  # fmt: skip
@click.option("--steps", metavar="N", type=click.IntRange(1, 1000), show_default="the pipeline\'s own",
              help="Denoising steps where a request names none.")  # fmt: skip
@click.option("--guidance", metavar="SCALE", type=click.FloatRange(0, 100), show_default="the pipeline\'s own",
              help="Guidance where a request names none; 0 for a distilled model.")  # fmt: skip
def add(source: str, models_dir: Path, name: str | None, like: str | None, **options: Any) -> None:
    """Add the model SOURCE and write its card.

    SOURCE is a folder as it was downloaded, a single .safetensors checkpoint, s3://bucket/prefix, or owner/name@commit
    of the model hub. Files that no pipeline reads are left aside, each with a line. What a person knows and no option
    says is asked for at a terminal; what nobody states is unknown, and the card says so.
    """
    from workers.sampling.files.sources import read_source  # noqa: PLC0415 - helps of other commands need none of it

    try:
        found = read_source(source)
        _add(found, models_dir, name or found.name, like, options)
    except WorkerError as error:
        raise click.ClickException(str(error)) from error


def _add(source: ModelOrigin, models_dir: Path, name: str, like: str | None, options: dict[str, Any]) -> None:
    from workers.sampling.files.adding import add_folder, check_name  # noqa: PLC0415
    from workers.sampling.files.needed import needed_files  # noqa: PLC0415
    from workers.sampling.files.sources import staging  # noqa: PLC0415

    check_name(models_dir, name)
    with staging(models_dir, f"{name}.fetched") as fetched:
        folder = _fetched(source, models_dir, like, fetched)
        needed = needed_files(folder)
        for path, why in needed.aside:
            click.echo(f"left aside: {path}: {why}")
        stated = _stated(folder, options)
        wanted = _wanted(options)
        card = add_folder(folder, needed, models_dir / name, stated=stated, wanted=wanted)
    click.echo(f"added {name}: {card.pipeline}, {len(card.files)} files, {card.revision}")
    for field in _QUESTIONS:
        if getattr(card, field) == "unknown":
            click.echo(f"unknown: {field}; edit {models_dir / name / 'card.yaml'} when somebody can say")


def _fetched(source: ModelOrigin, models_dir: Path, like: str | None, fetched: Path) -> Path:
    from workers.sampling.files import sources  # noqa: PLC0415

    if source.kind == "folder":
        return Path(source.place)
    if source.kind == "hub":
        return sources.fetch_hub(source, fetched)
    if source.kind == "s3":
        return sources.fetch_s3(_s3_client(), source, fetched)
    if like is None:
        message = "a single file has weights alone; name an installed model of the same family with --like"
        raise click.ClickException(message)
    from workers.sampling.files.single_file import convert  # noqa: PLC0415 - loads torch and diffusers

    template = Path(like) if Path(like).is_dir() else models_dir / like
    convert(Path(source.place), template, fetched)
    return fetched


def _s3_client() -> Any:
    import boto3  # noqa: PLC0415 - only where S3 is asked

    endpoint = os.environ.get("PRESSWORK_S3_ENDPOINT_URL")
    return boto3.client("s3", endpoint_url=endpoint or None)


def _stated(folder: Path, options: dict[str, Any]) -> Stated:
    from workers.sampling.files.new_card import UNKNOWN, Stated, stated_licence  # noqa: PLC0415

    given = {field: options[field] for field in _QUESTIONS}
    if sys.stdin.isatty():
        suggested = {"licence": stated_licence(folder) or UNKNOWN}
        for field, question in _QUESTIONS.items():
            given[field] = given[field] or click.prompt(question, default=suggested.get(field, UNKNOWN))
    expires = options["expires"]
    stated = Stated(**{field: text for field, text in given.items() if text})
    return replace(stated, expires=expires.date().isoformat()) if expires else stated


def _wanted(options: dict[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if (side := options["side"]) is not None:
        wanted |= {"width": side, "height": side, "max_side": 2 * side, "max_pixels": 2 * side * side}
        wanted["min_side"] = min(256, side)
    if (preset := options["preset"]) is not None:
        few = PRESETS[preset]
        wanted |= {"num_inference_steps": few.steps, "max_num_inference_steps": few.most_steps}
        wanted |= {"guidance_scale": few.guidance, "max_guidance_scale": few.most_guidance}
        if few.scheduler is not None:
            wanted["scheduler"] = few.scheduler
    if (steps := options["steps"]) is not None:
        wanted |= {
            "num_inference_steps": steps,
            "max_num_inference_steps": max(steps, wanted.get("max_num_inference_steps", 100)),
        }
    if (guidance := options["guidance"]) is not None:
        wanted["guidance_scale"] = guidance
        if guidance <= 1:
            wanted["max_guidance_scale"] = 1.0
    return wanted
