"""`presswork mark`: marks for pictures that another tool made, from a folder into files with marks of ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from deploy.client import Client
from deploy.client.fetch import Fetch, Fetched
from deploy.client.targets import FolderTarget
from deploy.commands.campaign.summary import summary_text
from deploy.commands.campaign.watch import show_progress
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, given_data, json_option
from deploy.commands.shared.tables import as_line
from deploy.errors import CallFailed

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif")
_MOST = 2000  # pictures of one call


@click.command(
    epilog=exit_status(
        "every picture is marked, and its marks read back",
        "a picture was refused, held, failed or not sent, or a mark does not read back",
    )
)
@click.argument("folder", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--declare", "declaration", type=click.Choice(["generated", "modified", "none"]), required=True,
              help="What you state: a model made them, a model changed them, or neither.")  # fmt: skip
@click.option("--source-type", metavar="CODE", default="", show_default="the usual one of what is declared",
              help="IPTC digital source type, such as digitalCapture.")  # fmt: skip
@click.option("--tool", metavar="TEXT", default="", help="What made them. It stands in the files.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              show_default="FOLDER-marked", help="Folder of the marked files.")  # fmt: skip
@click.option("--channel", "channels", multiple=True, metavar="PRESET", help="Further file of each. Repeatable.")
@click.option("--label", metavar="LANGUAGE", help="Draw a visible label into the files of channels, such as en.")
@click.option("--name", metavar="NAME", help="Name of the request.", show_default="that of the folder")
@click.option("--no-wait", is_flag=True, help="Send them, and do not wait for their files.")
@json_option("Print one JSON object at the end, and no progress.")
@api_options
@click.pass_context
def mark(
    ctx: click.Context, /, folder: Path, data: Path, *, to: Path | None, no_wait: bool, as_json: bool, **said: Any
) -> None:
    """Mark pictures that another tool made.

    Sends the pictures of FOLDER and of the folders in it. Each is screened, watermarked, signed and recorded, and keeps
    its pixels otherwise. What you state of their origin is recorded as stated. Run the command again after a break:
    what was sent is not sent twice, and what is there is not fetched again.
    """
    target = to or folder.with_name(f"{folder.resolve().name}-marked")
    pictures, skipped = _pictures(folder, target)
    console = Console(stderr=True, quiet=as_json)
    with Client.of(data) as client:
        inputs, problems = _send(client, folder, pictures, console)
        problems += [f"{path}: no picture that can be marked (PNG, JPEG, WebP, AVIF)" for path in skipped]
        if not inputs:
            raise CallFailed(f"no picture was sent. {'; '.join(problems[:5])}")
        body = _body(folder, inputs, said)
        request = client.post("/v1/marks", body, idempotency_key=f"mark-{_digest(body)}")
        if no_wait:
            click.echo(as_line(request) if as_json else f"next: presswork fetch {request['id']} --to {target}")
            return
        if not as_json:
            show_progress(client, request["id"])
        done = Fetch(client, request["id"], FolderTarget(target)).run()
        carried = _carried(client, request["id"])
    problems += [*done.problems, *_unreadable(target)]
    if as_json:
        counts = {"files": done.files, "fetched": done.fetched, "carried": carried, "problems": problems}
        click.echo(as_line({"request": request["id"], "target": str(target), **counts, **_summary(done)}))
    else:
        _tell(target, done, carried, problems)
        click.echo(f"next: presswork identify {target}/FILE{given_data(data)}")
    summary = done.status["summary"]
    ctx.exit(1 if problems or summary["released"] < done.status["items"] else 0)


def _pictures(folder: Path, target: Path) -> tuple[list[Path], list[Path]]:
    """The pictures of a folder in order, and what else lies there. Links and hidden files are no part of it."""
    if target.resolve().is_relative_to(folder.resolve()):
        raise click.UsageError(f"{target} lies in {folder}: its files would be marked again. Give another --to")
    parts = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    seen = [path for path in parts if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    pictures = [path for path in seen if path.suffix.lower() in _SUFFIXES]
    if not pictures:
        raise click.UsageError(f"{folder} holds no picture (PNG, JPEG, WebP, AVIF)")
    if len(pictures) > _MOST:
        raise click.UsageError(f"{folder} holds {len(pictures):,} pictures; up to {_MOST:,} go at once. Split it")
    return pictures, [path.relative_to(folder) for path in seen if path not in set(pictures)]


def _send(
    client: Client, folder: Path, pictures: Sequence[Path], console: Console
) -> tuple[list[tuple[str, str]], list[str]]:
    """(name, id of its input) of what was sent, and why others were not. The same file sent twice is one input."""
    inputs, problems = [], []
    for path in track(pictures, "sending", console=console, transient=True):
        name = path.relative_to(folder).as_posix()
        try:
            inputs.append((name, str(client.add_input(path)["id"])))
        except (CallFailed, OSError) as error:
            problems.append(f"{name}: {error}")
    return inputs, problems


def _body(folder: Path, inputs: Sequence[tuple[str, str]], said: dict[str, Any]) -> dict[str, Any]:
    channels: list[Any] = [*said["channels"]]
    if said["label"]:
        if not channels:
            raise click.UsageError("a label is drawn into the files of channels. Give --channel as well")
        channels = [{"preset": preset, "label": {"language": said["label"]}} for preset in channels]
    return {
        "name": said["name"] or folder.resolve().name[:200],
        "origin": {"declaration": said["declaration"], "source_type": said["source_type"], "tool": said["tool"]},
        "pictures": [{"input": id, "name": name[-200:]} for name, id in inputs],
        "channels": channels,
    }


def _digest(body: dict[str, Any]) -> str:
    """The same folder with the same statement is the same request, however often the command is run."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:40]


def _carried(client: Client, request_id: str) -> dict[str, list[str]]:
    """Marks that pictures carried when they were sent, by their name."""
    found = {}
    for asset in client.assets(request_id):
        if marks := asset["provenance"]["marks"].get("origin", {}).get("found"):
            found[str(asset["custom_id"])] = [str(words) for words in marks]
    return found


def _unreadable(target: Path) -> list[str]:
    """Files of the manifest whose watermark or manifest does not read back from the bytes on this disk."""
    from policy.marks.inspect import inspect  # noqa: PLC0415 - numpy and cv2 only when files are there

    problems = []
    for line in (target / "manifest.jsonl").read_text().splitlines():
        told = json.loads(line)
        if told["presswork_sha256"] is None:
            continue
        found = inspect((target / told["presswork_file_name"]).read_bytes())
        asset = found.manifest.asset_id if found.manifest and found.manifest.state != "Invalid" else None
        if asset != told["presswork_asset_id"] or found.watermark is None:
            problems.append(f"{told['presswork_file_name']}: its marks do not read back")
    return problems


def _summary(done: Fetched) -> dict[str, Any]:
    return {"summary": done.status["summary"]}


def _tell(target: Path, done: Fetched, carried: dict[str, list[str]], problems: Sequence[str]) -> None:
    click.echo(f"{done.files:,} files in {target}, {done.fetched:,} of them fetched now; the marks of all were read")
    click.echo(summary_text(done.status))
    for name, words in carried.items():
        click.echo(f"{name} carried {', '.join(words)}")
    for problem in problems:
        click.echo(f"problem: {problem}", err=True)
