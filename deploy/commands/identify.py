"""`presswork identify`: asks the API whether image files were made by this installation.

Exit status: 0 every file is ours (as it was or altered), 1 one is not found or only shares content, 2 one is
conflicting, 3 one could not be identified. The highest
number of all files counts. Wrong usage is 3 as well, because 2 is a finding.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.errors import DeployError

_WAIT_SECONDS = 15.0  # of one call
_STATUS = {"ours": 0, "ours_altered": 0, "shares_content": 1, "not_found": 1, "conflicting": 2}
_FAILED = 3
_COLOURS = {
    "ours": "green",
    "ours_altered": "yellow",
    "shares_content": "yellow",
    "not_found": "yellow",
    "conflicting": "red",
    "failed": "red",
}


class IdentifyUsageError(click.UsageError):
    """Wrong usage, which is no finding."""

    exit_code = _FAILED


class IdentifyCommand(click.Command):
    """A command whose usage errors exit with 3."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise IdentifyUsageError(error.format_message(), ctx=error.ctx) from error


@click.command(
    cls=IdentifyCommand,
    epilog=exit_status(
        "every file is ours, as it was or altered",
        "at least one file is not found or only shares content with an asset, and the others are ours",
        "at least one file is conflicting: its marks contradict each other",
        "at least one file could not be identified, or wrong usage",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    help="Time to wait for each result.",
)
@json_option("Print one JSON object per file.")
@api_options
@click.pass_context
def identify(ctx: click.Context, files: tuple[Path, ...], data: Path, *, as_json: bool, seconds: float) -> None:
    """Check whether images were made by this installation.

    Compares the manifest, the watermark and the content of FILES with all assets. Crops, screenshots, recompressed,
    resized, rotated and mirrored copies are recognised. docs/identify.md says how well.
    """
    console = Console(highlight=False)
    worst = 0
    try:
        api = Client.of(data)
    except DeployError as error:  # exit code 1 would mean "not found"
        click.echo(f"Error: {error}", err=True)
        ctx.exit(_FAILED)
    with api as client:
        for file in files:
            found = _result(client, file, seconds)
            worst = max(worst, _STATUS.get(str(found.get("finding")), _FAILED))
            if as_json:
                click.echo(json.dumps({"file": str(file), **found}, sort_keys=True))
            else:
                _show(console, file, found)
    ctx.exit(worst)


def _result(client: Client, file: Path, seconds: float) -> dict[str, Any]:
    """The API's result, or a failure in the same shape."""
    try:
        asked = client.identify(file)
        give_up = time.monotonic() + seconds
        while asked["settled_at"] is None and time.monotonic() < give_up:
            asked = client.get(f"/v1/identify/{asked['id']}", wait=_WAIT_SECONDS)
    except (DeployError, OSError) as error:
        return {"state": "failed", "reason": str(error)}
    if asked["settled_at"] is None:
        return {**asked, "reason": f"no result within {seconds:g} seconds. GET /v1/identify/{asked['id']} has it later"}
    return asked


def _show(console: Console, file: Path, found: dict[str, Any]) -> None:
    finding = found.get("finding") or "failed"
    sure = {"ours": ", verified: content and code agree" if found.get("verified") else ", by a damaged code"}
    said = finding.upper().replace("_", " ")
    console.print(f"[bold]{file}[/bold]: [{_COLOURS[finding]}]{said}[/]{sure.get(finding, '')}")
    if finding == "failed":
        console.print(f"  {found.get('reason')}")
        return
    for reason in found["reasons"]:
        console.print(f"  {reason}")
    if finding == "ours_altered":
        console.print(
            "  of the asset's frame: # agrees, x shows something else, ~ is farther than copies are, . is not there"
        )
        console.print("\n".join(f"    {row}" for row in found["agreement"]["map"]), markup=False)
    for each in found.get("also") or ():
        console.print(f"  also in the picture: {each['asset_id'] or 'an asset of another tenant'} ({each['finding']})")
    console.print(_layers(found))
    if found.get("false_match_probability") is not None:
        console.print(f"  expected false matches of such a search: {found['false_match_probability']:.1e}")
    lineage = found.get("lineage")
    if lineage:
        console.print(
            f"  asset {lineage['asset_id']} ({lineage['state']}), {lineage['custom_id']} of request"
            f" {lineage['request_id']}, released {lineage['released_at']}\n"
            f"  `presswork audit asset {lineage['asset_id']}` shows its whole record"
        )
    elif found.get("made_here"):
        console.print(f"  made by this installation for another tenant; now {found.get('asset_state') or 'unknown'}")


def _layers(found: dict[str, Any]) -> Table:
    """One row per layer."""
    table = Table("layer", "result", "asset", box=None, padding=(0, 2), header_style="dim")
    manifest, mark = found["layers"]["manifest"], found["layers"]["watermark"]
    table.add_row("manifest", manifest["standing"], manifest["asset_id"] or "")
    table.add_row(
        "watermark, blind",
        f"{mark['watermark_id']}, {mark['bit_errors']} of {mark['bits_heard']} bits wrong" if mark else "not read",
        (mark and mark["asset_id"]) or "",
    )
    for candidate in found["layers"]["candidates"][:3]:
        fit, code = candidate["registration"], candidate["code"]
        text = f"{candidate['likeness']:.0%} similar"
        if fit:
            text += f", {fit['method']}" + (f" ({fit['inliers']} of {fit['matches']})" if fit["inliers"] else "")
        text += f", {code['bit_errors']} of {code['bits_heard']} bits wrong" if code else ", code not read"
        table.add_row("content", text, candidate["asset_id"] or "")
    return table
