"""`presswork audit lock`: checks a delivered file against the source picture of its product, offline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.options import json_option
from policy.errors import PictureRefused, PolicyUnavailable, SigningUnavailable

if TYPE_CHECKING:
    from workers.masks.proof import Checked

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog=exit_status(
        "the product is the source's, within what the manifest allows",
        "it is not, or the file says nothing of a lock; the step is named",
        "a picture could not be read, or wrong usage",
    )
)
@click.argument("file", type=_FILE)
@click.option("--source", type=_FILE, metavar="PICTURE", required=True, help="The picture that was sent in.")
@click.option(
    "--mask", type=_FILE, metavar="PNG", show_default="the shape in the manifest",
    help="The product's mask, for a file whose manifest has no room for it.",
)  # fmt: skip
@click.option(
    "--anchors",
    type=_FILE,
    envvar="PRESSWORK_TRUST_ANCHORS",
    show_envvar=True,
    metavar="FILE",
    help="Trusted root certificates, PEM. Without them an intact manifest is Valid, never Trusted.",
)
@click.option("--read-writing", is_flag=True, help="Also read the writing on the product. Needs presswork[ocr].")
@json_option("Print the steps as one JSON object.")
def lock(
    *, file: Path, source: Path, mask: Path | None, anchors: Path | None, read_writing: bool, as_json: bool
) -> None:
    """Check that FILE shows the product of its source picture.

    Needs no running stack, no key and no network. The manifest says which source, where it lies in the file, and how
    far marks and encoding may change it; every pixel of the product is compared.
    """
    try:
        steps = _steps(file, source, mask, anchors, read_writing=read_writing)
    except SigningUnavailable as error:
        raise Undetermined(f"{anchors}: {error}") from error
    except (PictureRefused, PolicyUnavailable) as error:
        raise Undetermined(str(error)) from error
    holds = all(step.holds is not False for step in steps) and any(step.name == "product" for step in steps)
    if as_json:
        told: dict[str, Any] = {step.name: {"holds": step.holds, "found": step.found} for step in steps}
        click.echo(json.dumps({"file": str(file), "holds": holds, "steps": told}))
    else:
        click.echo("\n".join(_line(step) for step in steps))
        click.echo(f"{file}: {'the product is the source' if holds else 'NOT PROVEN'}")
    if not holds:
        sys.exit(1)


def _steps(file: Path, source: Path, mask: Path | None, anchors: Path | None, *, read_writing: bool) -> list[Checked]:
    from policy.intake.picture import open_picture  # noqa: PLC0415 - numpy and cv2 only when a file is read
    from policy.marks.provenance.manifest import ManifestReader  # noqa: PLC0415
    from workers.intake.sanitise import seen  # noqa: PLC0415
    from workers.masks import proof  # noqa: PLC0415

    content = file.read_bytes()
    delivered = open_picture(content)
    manifest = ManifestReader(anchors.read_text() if anchors else "").read(content, delivered.media_type)
    original = seen(open_picture(source.read_bytes(), keep_alpha=True))
    given = open_picture(mask.read_bytes()).pixels[..., 0] if mask else None
    steps, expected, shape = proof.audit(delivered.pixels, manifest, original, alpha=given)
    if read_writing and expected is not None and shape is not None:
        from policy.images.ocr import RapidReader  # noqa: PLC0415 - an optional extra

        steps.append(proof.writing(RapidReader.load(), expected, delivered.pixels, shape))
    return steps


def _line(step: Checked) -> str:
    sign = {True: "ok  ", False: "FAIL", None: "?   "}[step.holds]
    text = f"{sign} {step.name:<13} {step.found}".rstrip()
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])
