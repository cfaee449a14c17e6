"""`presswork review`: lists held images and releases or refuses them, through the API with a reviewer's key.

A decision names the reviewed bytes: `show` downloads the image, and `release` and `refuse` send the SHA-256 of that
file. So nobody can decide about an image that they have not seen, or that changed since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import short_path
from deploy.commands.shared.options import data_option, given_data, json_option
from deploy.commands.shared.tables import cell
from deploy.embedded.passwords import reviewer_key_file
from deploy.errors import CallFailed

_SHOWN = 200  # rows of a table
_SUFFIX = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/avif": ".avif"}

_json_option = json_option("Print the API's JSON, one object per line.")
_key_option = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with your own API key of scope review. Without it: reviewer.key of the embedded stack.",
)
_comment_option = click.option("--comment", metavar="TEXT", required=True, help="Reason, kept with the decision.")
_sha256_option = click.option(
    "--sha256", metavar="DIGEST", help="SHA-256 of the image that you saw. Without it: of the file that `show` stored."
)


@click.group()
def review() -> None:
    """List held images, and release or refuse them."""


@review.command("list")
@click.option("--category", metavar="CATEGORY", help="Only images held for this category.")
@click.option("--request", metavar="ID", help="Only images of this request.")
@click.option("--older-than", type=click.FloatRange(0), metavar="HOURS", help="Only images held for longer.")
@click.option(
    "--decided",
    type=click.Choice(["no", "yes", "any"]),
    default="no",
    show_default=True,
    help="no: images that wait for a decision.",
)
@_json_option
@_key_option
@data_option
def list_(
    data: Path,
    *,
    category: str | None,
    request: str | None,
    older_than: float | None,
    decided: str,
    as_json: bool,
    key_file: Path | None,
) -> None:
    """List held images, oldest submission first."""
    wanted: dict[str, str] = {"decided": decided}
    if category:
        wanted["category"] = category
    if request:
        wanted["request_id"] = request
    if older_than is not None:
        wanted["held_before"] = (datetime.now(UTC) - timedelta(hours=older_than)).isoformat()
    with _client(data, key_file) as client:
        holds = client.pages("/v1/reviews", **wanted)
        if as_json:
            for hold in holds:
                click.echo(json.dumps(hold))
            return
        found = list(holds)
    _print_table(found)
    if found and decided == "no":
        click.echo(f"\nNext: presswork review show {found[0]['item_id']}{given_data(data)}")


@review.command()
@click.argument("item")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="File for the image."
)
@_json_option
@_key_option
@data_option
def show(item: str, data: Path, *, output: Path | None, as_json: bool, key_file: Path | None) -> None:
    """Show why ITEM is held, and store its image as a file.

    The ledger records that you looked.
    """
    item = _item_id(item)
    with _client(data, key_file) as client:
        hold = client.get(f"/v1/reviews/{item}")
        content = client.fetch(hold["picture"]["url"]) if hold["picture"]["url"] else None
    picture = None
    if content is not None:
        picture = output or _seen(data, item).with_suffix(_SUFFIX.get(hold["picture"]["media_type"], ".bin"))
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(content)
        _note(data, item, hashlib.sha256(content).hexdigest())
    if as_json:
        click.echo(json.dumps({**hold, "file": str(picture) if picture else None}))
        return
    _print_hold(hold, picture)
    if picture is not None:
        can = "" if hold["releasable"] else f"   (nobody can release it: {cell(hold['why_not_releasable'])})"
        click.echo(f'\n  presswork review release {item} --comment "..."{given_data(data)}{can}')
        click.echo(f'  presswork review refuse {item} --comment "..."{given_data(data)}')


def _decision(verb: str, what: str, done_text: str) -> Callable[..., None]:
    @review.command(verb, help=what, epilog=exit_status(done_text, "at least one decision was not accepted"))
    @click.argument("items", nargs=-1, required=True, metavar="ITEM...")
    @_comment_option
    @_sha256_option
    @_json_option
    @_key_option
    @data_option
    def command(
        items: tuple[str, ...],
        data: Path,
        *,
        comment: str,
        sha256: str | None,
        as_json: bool,
        key_file: Path | None,
    ) -> None:
        if sha256 and len(items) > 1:
            raise click.UsageError("--sha256 belongs to one image; give one ITEM with it")
        failed = 0
        with _client(data, key_file) as client:
            for item in map(_item_id, items):
                try:
                    seen = sha256 or _digest_seen(data, item)
                    body = {"decision": verb, "comment": comment, "sha256": seen}
                    done = client.post(f"/v1/reviews/{item}", body)
                except CallFailed as error:
                    failed += 1
                    click.echo(f"{item}: {error}", err=True)
                    continue
                click.echo(json.dumps(done) if as_json else f"{item}: {_outcome(done)}")
        if failed:
            raise click.exceptions.Exit(1)

    return command


release = _decision(
    "release",
    "Release each ITEM that you have seen.\n\nIf a rule asks for two people, another person must agree.",
    "every decision was accepted",
)
refuse = _decision(
    "refuse", "Refuse each ITEM that you have seen, and delete its image.", "every decision was accepted"
)


def _client(data: Path, key_file: Path | None) -> Client:
    return Client.of(data, key_file or reviewer_key_file(data))


def _item_id(written: str) -> str:
    """The canonical spelling, which cannot name a file outside the folder. Raises BadParameter."""
    try:
        return str(UUID(written))
    except ValueError:
        raise click.BadParameter(f"{written!r} is not an item id; `presswork review list` shows the ids") from None


def _seen(data: Path, item: str) -> Path:
    return data / "review" / item


def _note(data: Path, item: str, sha256: str) -> None:
    note = _seen(data, item).with_suffix(".sha256")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(sha256)


def _digest_seen(data: Path, item: str) -> str:
    try:
        return _seen(data, item).with_suffix(".sha256").read_text().strip()
    except FileNotFoundError:
        remedy = f"`presswork review show {item}{given_data(data)}` shows it"
        raise CallFailed(f"you have not seen the image on this machine. Remedy: {remedy}") from None


def _outcome(done: Mapping[str, Any]) -> str:
    if done["decision"] == "refuse":
        return "refused"
    if done["final"]:
        return "release ordered. The clerk carries it out within seconds"
    return f"{done['people_agreed']} of {done['people_needed']} people agreed. Another person must agree"


def _print_table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("no held images")
        return
    table = Table(box=None, header_style="bold", expand=True)
    table.add_column("item", min_width=36, no_wrap=True)  # never cut, because people copy it
    for name in ("held", "state", "release", "for"):
        table.add_column(name, no_wrap=name != "for")
    table.add_column("prompt", ratio=1, no_wrap=True, overflow="ellipsis")
    for hold in found[:_SHOWN]:
        agreed = f"{hold['people_agreed']} of {hold['people_needed']}" if hold["releasable"] else "nobody"
        held_for = Text(cell(", ".join(hold["categories"])))
        prompt = Text(cell(hold["prompt"]))
        table.add_row(hold["item_id"], _age(hold["held_at"]), hold["state"], agreed, held_for, prompt)
    console = Console(highlight=False)
    console.print(table)
    if len(found) > _SHOWN:
        console.print(f"and {len(found) - _SHOWN:,} more; --json prints all")


def _scores(scores: Mapping[str, float]) -> str:
    """Highest first, without the digests that distinguish the scores of different rule sets."""
    ranked = sorted(scores.items(), key=lambda named: -named[1])
    return ", ".join(f"{name.partition('@')[0]} {score:.2f}" for name, score in ranked)


def _print_hold(hold: Mapping[str, Any], picture: Path | None) -> None:
    request = f"{hold['request_id']} {hold['request_name']}".strip()
    facts = [
        ("item", hold["item_id"]),
        ("request", f"{request}, row {hold['row']}, {hold['custom_id']}, variant {hold['variant']}"),
        ("prompt", hold["prompt"]),
        *([("negative", hold["negative_prompt"])] if hold["negative_prompt"] else ()),
        ("made by", f"{hold['recipe']['model']}, seed {hold['seed']}"),
        ("state", f"{hold['state']}, held {_age(hold['held_at'])} ago"),
    ]
    facts += [("held for", _finding(finding)) for finding in hold["findings"]]
    facts += [("scores", _scores(hold["scores"]))]
    facts += [
        (said["decision"], f"{said['reviewer']}: {said['comment']}{'' if said['final'] else ' (not final)'}")
        for said in hold["reviews"]
    ]
    facts += [("sha-256", hold["sha256"])]
    facts += [("picture", short_path(picture) if picture else "not shown, because it is decided")]
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    for name, value in facts:
        table.add_row(name, Text(cell(str(value))))
    Console(highlight=False).print(table)


def _finding(finding: Mapping[str, Any]) -> str:
    score = f" ({finding['score']:.2f})" if finding["score"] is not None else ""
    detail = f": {finding['detail']}" if finding["detail"] else ""
    return f"{finding['rule']} [{finding['stage']}, {finding['decision']}]{score}{detail}"


def _age(since: str) -> str:
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
