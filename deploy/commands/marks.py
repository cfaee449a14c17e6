"""`presswork marks`: the marks in any image file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import json_option
from policy.errors import PictureUnreadable, SigningUnavailable

_MAX_LINE = 300  # characters


@click.group()
def marks() -> None:
    """Read the watermark and the manifest of images."""


@marks.command(
    epilog=exit_status(
        "every file was read, and every manifest is intact",
        "at least one file could not be read, its manifest is invalid, or that names another watermark than is there",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--anchors",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="PRESSWORK_TRUST_ANCHORS",
    show_envvar=True,
    metavar="FILE",
    help="Trusted root certificates, PEM. Without them an intact manifest is Valid, never Trusted.",
)
@click.option(
    "--reference", is_flag=True, help="Also decode with the invisible-watermark library. Slow: it loads torch."
)
@json_option("Print one JSON object per file.")
def read(files: tuple[Path, ...], anchors: Path | None, reference: bool, as_json: bool) -> None:
    """Show the manifest, the watermark and the XMP label of FILES.

    Needs no running stack. Works on images of any origin. A file without a manifest is no failure.
    """
    trusted = anchors.read_text() if anchors else ""
    failed = False
    for file in files:
        try:
            found = _inspect(file, trusted, reference=reference)
        except SigningUnavailable as error:
            raise click.ClickException(f"{anchors}: {error}") from error
        except (PictureUnreadable, OSError) as error:
            click.echo(f"{file}: {_reason(error)}", err=True)
            failed = True
            continue
        failed |= _contradicts(found)
        click.echo(json.dumps({"file": str(file), **found}) if as_json else _as_text(file, found))
    if failed:
        sys.exit(1)


def _reason(error: PictureUnreadable | OSError) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _contradicts(found: dict[str, Any]) -> bool:
    """Whether the manifest is broken, or the picture carries another watermark than it names."""
    manifest, mark = found["manifest"], found["watermark"]
    if manifest is None:
        return False
    other = mark and manifest["watermark_id"] and manifest["watermark_id"] != mark["id"]
    return manifest["state"] == "Invalid" or bool(other)


def _inspect(file: Path, trusted: str, *, reference: bool) -> dict[str, Any]:
    from policy.intake.picture import open_picture  # noqa: PLC0415 - numpy and cv2 only when a file is read
    from policy.marks.inspect import marks_of  # noqa: PLC0415
    from policy.marks.provenance.manifest import ManifestReader  # noqa: PLC0415

    content = file.read_bytes()
    picture = open_picture(content)
    found = marks_of(picture, content, ManifestReader(trusted)).to_json()
    if reference:
        from policy.marks import reference as library  # noqa: PLC0415 - loads torch

        reading = library.read(picture.pixels)
        found["watermark_by_library"] = reading and f"{reading.watermark_id:012x}"
    return found


def _as_text(file: Path, found: dict[str, Any]) -> str:
    lines = [f"{file}  {found['media_type']}  {found['width']} x {found['height']}"]
    manifest, mark = found["manifest"], found["watermark"]
    if manifest is None:
        lines.append("  manifest   none")
    else:
        lines.append(f"  manifest   {manifest['state']}  {', '.join(manifest['failures'])}".rstrip())
        lines += [
            f"  {label:<10} {manifest[key]}"
            for label, key in (("signer", "signer"), ("made by", "generator"), ("asset", "asset_id"))
            if manifest[key]
        ]
        lines += [f"  stamped    {manifest['timestamp']}"] if manifest["timestamp"] else []
        lines += [
            f"  from       {source['title']} ({source['relationship']}), {source['generator'] or 'no manifest'}"
            for source in manifest["ingredients"]
        ]
        lines += [f"  {key:<10} {value}" for key, value in (manifest["generation"] or {}).items() if key != "asset_id"]
    lines.append(
        f"  watermark  {mark['id']}  {mark['scheme']}, {mark['bit_errors']} bits wrong" if mark else "  watermark  none"
    )
    if manifest and mark and manifest["watermark_id"] and manifest["watermark_id"] != mark["id"]:
        lines.append(f"  CONFLICT   the manifest names watermark {manifest['watermark_id']}")
    if "watermark_by_library" in found:
        lines.append(f"  library    {found['watermark_by_library'] or 'none'}")
    lines += [f"  xmp        {name} = {value}" for name, value in found["xmp"].items()]
    lines += [f"  note       {sentence}" for sentence in found["notes"]]
    return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    """The line without control characters: a file of any origin must not control the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in line[:_MAX_LINE])
