"""`presswork reproduce`: draws a released asset again from its receipt in the ledger."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.models.options import MODELS_DIR, open_registry
from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, json_option
from policy.ledger.reading import questions
from workers.errors import WorkerError
from workers.jobs.types import ClaimedItem
from workers.recipes import MARK, Recipe
from workers.sampling.families.family import REMOVE_BACKGROUND, REPLACE_BACKGROUND

if TYPE_CHECKING:
    from workers.sampling.cards.registry import Registry
    from workers.sampling.receipts.reproduction import Reproduction


@click.command(
    epilog=exit_status(
        "drawn bit for bit, or equal to the eye", "another picture came out", "it could not be drawn, or wrong usage"
    )
)
@click.argument("asset_id", metavar="ID")
@click.option(
    "--picture", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE", show_default="none",
    help="The released file, to compare with where the bits differ.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", show_default="none",
    help="Where to write what was drawn, as PNG without any mark.",
)  # fmt: skip
@click.option(
    "--source", "sources", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE", multiple=True,
    show_default="none", help="A picture that it was made from, as it was sent in. Repeatable, in any order.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda, cuda:1, ...")
@MODELS_DIR
@json_option("Print the result as one JSON object.")
@data_option
def reproduce(
    *,
    asset_id: str,
    picture: Path | None,
    output: Path | None,
    sources: tuple[Path, ...],
    device: str,
    models_dir: Path,
    data: Path,
    as_json: bool,
) -> None:
    """Draw the released asset ID again and compare.

    Recipe, seed, prompt and receipt come from the ledger, the model from this machine. The digest of the pixels before
    any mark decides. Where it differs, the first field of the receipt that is not what it was is named. The pictures
    that it was made from are compared with the digests of the ledger; products cut out or put on grounds are drawn
    again by the API.
    """
    with open_ledger(auditor_settings(data)) as conn:
        found = questions.lineage(conn, asset_id)
        if found is None:
            raise Undetermined(f"the ledger has no released asset {asset_id}")
        receipt = questions.receipt(conn, int(found["entry_id"]))
    if found["prompt"] is None:
        raise Undetermined(f"the prompt of {asset_id} was erased; nobody can draw it again")
    try:
        with redirect_stdout(sys.stderr):  # log lines; the answer alone goes to standard output
            given = _given(found, sources)
            made = _drawn_again(found, receipt, open_registry(models_dir), device, picture=picture, given=given)
    except WorkerError as error:
        raise Undetermined(str(error)) from error
    if output is not None:
        _write(made.image, output)
    told = {"result": made.result, "pixels": made.pixels, "psnr_db": made.psnr, "differs": made.difference}
    told = {name: value for name, value in told.items() if value is not None}
    click.echo(json.dumps(told) if as_json else "\n".join(f"{name:<12} {value}" for name, value in told.items()))
    if made.result == "different":
        raise SystemExit(1)


def _given(found: Mapping[str, Any], sources: Sequence[Path]) -> dict[str, bytes]:
    """The pictures that it was made from, as they were stored, by role. Raises Undetermined."""
    from policy.errors import PictureRefused  # noqa: PLC0415
    from policy.intake.picture import open_picture  # noqa: PLC0415
    from workers.intake.sanitise import encoded  # noqa: PLC0415

    stored: dict[str, bytes] = {}
    for path in sources:
        try:
            data = encoded(open_picture(path.read_bytes()))
        except PictureRefused as refused:
            raise Undetermined(f"{path}: {refused}") from refused
        stored[hashlib.sha256(data).hexdigest()] = data
    by_role: dict[str, bytes] = {}
    for each in found["inputs"] or ():
        if each["sha256"] not in stored:
            named = f"input {each['input_id']} ({each['role']}), which is {each['sha256']} once it is sanitised"
            raise Undetermined(f"none of the sources is its {named}. Remedy: give that picture as --source")
        by_role[each["role"]] = stored[each["sha256"]]
    return by_role


def _drawn_again(
    found: Mapping[str, Any],
    receipt: dict[str, str],
    registry: Registry,
    device: str,
    *,
    picture: Path | None,
    given: Mapping[str, bytes],
) -> Reproduction:
    import numpy as np  # noqa: PLC0415 - what draws takes seconds to load
    from PIL import Image  # noqa: PLC0415

    from workers.sampling.device.speed import speed_for  # noqa: PLC0415
    from workers.sampling.given.pictures import GivenPicture, SourceUnusable, pictures_for  # noqa: PLC0415
    from workers.sampling.receipts.reproduction import reproduce as draw_again  # noqa: PLC0415
    from workers.sampling.sampler import DiffusersSampler  # noqa: PLC0415

    recipe = Recipe.from_json(dict(found["recipe"]))
    if recipe.task in (MARK, REMOVE_BACKGROUND, REPLACE_BACKGROUND):
        raise Undetermined(f"this command does not repeat {recipe.task}; POST /v1/assets/ID/reproductions does, if any")
    try:
        pictures = pictures_for(recipe, {role: GivenPicture.read(data) for role, data in given.items()})
    except SourceUnusable as unusable:
        raise Undetermined(f"its pictures cannot be used: {unusable.code}") from unusable
    texts = str(found["prompt"]), found["negative_prompt"] or ""
    return draw_again(
        DiffusersSampler(
            registry,
            device,
            int(receipt.get("threads") or 0),
            choose=partial(speed_for, compiled="compiled" in receipt.get("speed", "").split()),
        ),
        recipe,
        ClaimedItem(str(found["item_id"]), "", "", "", 0, *texts, int(found["seed"])),
        receipt,
        size=int(found["batch_size"]),
        position=int(found["batch_position"]),
        released=np.asarray(Image.open(picture).convert("RGB")) if picture else None,
        pictures=pictures,
    )


def _write(image: Any, output: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    Image.fromarray(image).save(output, "PNG")
