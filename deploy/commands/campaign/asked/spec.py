"""Spec of a campaign on the command line: the file of rows, and the options that say what to make of them."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import yaml

from deploy.commands.campaign.asked.table import TABLE_OPTIONS, table_fields

_MOST_BYTES = 1024 * 1024  # of a spec file, as the API takes
_OPTIONS: tuple[Any, ...] = (
    click.argument("rows", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
    click.option(
        "--template",
        metavar="TEXT",
        help='Prompt with the columns of the file as {placeholders}, such as "a {colour} {product}".',
    ),
    click.option(
        "--spec",
        "spec_file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="JSON or YAML file with any fields of a campaign. Options override it.",
    ),
    click.option("--name", metavar="NAME", help="Name of the campaign."),
    click.option("--model", metavar="NAME", help="Name of the model. Not needed if there is only one."),
    click.option("--upscale", metavar="FACTOR", type=int, help="Factor by which each side is enlarged, such as 4."),
    click.option("--lora", "loras", multiple=True, metavar="NAME[:SCALE]", help="LoRA of the model. Repeatable."),
    click.option(
        "--prompt-syntax",
        type=click.Choice(("weights",)),
        help="weights: (word:1.3), ((word)) and [word] say how much words count, as in AUTOMATIC1111.",
    ),
    click.option("--variants", metavar="NUMBER", type=int, show_default="1", help="Number of images for each row."),
    click.option(
        "--priority",
        type=click.Choice(["interactive", "standard", "bulk"]),
        show_default="standard",
        help="interactive: a person waits. standard: today. bulk: overnight.",
    ),
    click.option(
        "--channel",
        "channels",
        multiple=True,
        metavar="PRESET",
        help="Further file of each image, such as square. Repeatable; others with --spec.",
    ),
    click.option(
        "--pilot",
        metavar="IMAGES",
        type=click.IntRange(1, 1000),
        help="Number of images that are made first, such as 50. The rest waits until a person accepts them.",
    ),
    click.option(
        "--pilot-by",
        "pilot_by",
        multiple=True,
        metavar="COLUMN",
        help="Column whose values the pilot shows, each by its share. Repeatable.",
    ),
    click.option(
        "--pictures",
        metavar="ZIP|FOLDER",
        type=click.Path(exists=True, path_type=Path),
        help="Pictures that rows name in the columns image, mask, control_image and reference_image.",
    ),
    click.option("--image", metavar="ID|FILE", help="Picture of every row that names none: an input, or a file."),
    click.option("--mask", metavar="ID|FILE", help="Mask of every row that names none."),
    click.option("--control-image", metavar="ID|FILE", help="Picture whose lines guide every row that names none."),
    click.option(
        "--control",
        metavar="canny",
        type=click.Choice(("canny",)),
        help="canny: the edges of that picture guide. Without it, it is such a map itself.",
    ),
    click.option("--reference-image", metavar="ID|FILE", help="Picture whose style every row takes that names none."),
    click.option("--consent", metavar="TEXT", help="Where the people agreed whom pictures of --pictures show."),
    click.option("--task", metavar="TASK", help="What is done, such as remove-background or inpaint."),
    click.option(
        "--lock",
        metavar="standard|strict",
        type=click.Choice(("standard", "strict")),
        help="Of a product on a new ground: strict keeps the watermark off it.",
    ),
    click.option("--strength", metavar="SHARE", type=float, help="How much of a picture is drawn anew, 0 to 1."),
    click.option("--parent", metavar="ID", help="Earlier request whose rows these correct; only changes are drawn."),
    click.option(
        "--reuse",
        type=click.Choice(["auto", "never"]),
        show_default="auto",
        help="auto: what was released before with the same content is taken. never: everything is drawn.",
    ),
    click.option(
        "--deliver", metavar="TARGET[/PREFIX]", help="Deliver the files to this target, as they are released."
    ),
    click.option("--file", metavar="TEXT", help='Name of each file, such as "{sku}.{ext}".'),
    *TABLE_OPTIONS,
)


def spec_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """FILE and the options of a campaign; the command is given `rows` and, as keywords, what else was said."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_WORDLESS = ("remove-background", "upscale")  # tasks that draw nothing from words


def spec_of(given: dict[str, Any]) -> dict[str, Any]:
    """The spec that the options mean, with that of the file below it. Raises UsageError."""
    said = dict(given)
    said.pop("pictures", None)
    spec = _read(said.pop("spec_file"))
    said["channels"] = [*said["channels"]]
    images, columns = said["pilot"], said.pop("pilot_by")
    if images or columns:
        asked = {"images": images} if images else {}
        said["pilot"] = {**(spec.get("pilot") or {}), **asked, **({"stratify_by": [*columns]} if columns else {})}
    if said["deliver"]:
        target, _, prefix = said["deliver"].partition("/")
        said["deliver"] = {"target": target, "prefix": prefix}
    table_fields(said)
    said["loras"] = [_lora(text) for text in said["loras"]]
    spec |= {name: value for name, value in said.items() if value not in (None, "", [])}
    if "template" not in spec and spec.get("task") not in _WORDLESS:
        raise click.UsageError("there is no template. Give --template, or a --spec that has one")
    return spec


def rows_of(rows: str) -> Path | BinaryIO:
    """The file of rows; "-" is standard input."""
    if rows != "-":
        return Path(rows)
    return io.BytesIO(sys.stdin.buffer.read())


@contextmanager
def pictures_of(given: Mapping[str, Any]) -> Iterator[BinaryIO | None]:
    """The ZIP of pictures, as it is or packed from a folder; None where there is none."""
    chosen: Path | None = given.get("pictures")
    if chosen is None:
        yield None
    elif chosen.is_file():
        with chosen.open("rb") as packed:
            yield packed
    else:
        with tempfile.TemporaryFile() as target:
            with zipfile.ZipFile(target, "w") as archive:  # stored: pictures are compressed already
                for file in sorted(path for path in chosen.rglob("*") if path.is_file()):
                    archive.write(file, file.relative_to(chosen).as_posix())
            target.seek(0)
            yield target


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = file.read_bytes()[: _MOST_BYTES + 1].decode()
        spec = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise click.BadParameter(f"{file} cannot be read: {error}", param_hint="--spec") from error
    if not isinstance(spec, dict) or len(text) > _MOST_BYTES:
        raise click.BadParameter(f"{file} is no object of at most 1 MiB", param_hint="--spec")
    return spec


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.partition(":")
    try:
        return {"name": name, "scale": float(scale)} if colon else {"name": name}
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither NAME nor NAME:SCALE", param_hint="--lora") from None
