"""`presswork inputs`: pictures that images are made from, sent in, listed, shown and erased."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line, print_object, print_rows
from deploy.errors import CallFailed

_COLUMNS = ("id", "created_at", "state", "size", "media_type", "items", "name")
_WAIT_SECONDS = 20  # of one call; the command asks again until it was looked at
_STATES = ("received", "checking", "ready", "refused", "failed", "recalled", "erased")


@click.group()
def inputs() -> None:
    """Send pictures in that images are made from.

    An input is decoded in a limited process, stripped of metadata and screened before a model sees it. The same file
    sent twice is one input.
    """


@inputs.command("add", epilog=exit_status("every picture is ready", "one is refused, cannot be read, or was not sent"))
@click.argument("pictures", metavar="FILE|URL...", nargs=-1, required=True)
@click.option("--consent", metavar="TEXT", default="", help="Where the people who are shown agreed.")
@click.option("--no-wait", is_flag=True, help="Do not wait until they were looked at.")
@json_option("Print the API's JSON, one object per line.")
@api_options
def add(data: Path, *, pictures: tuple[str, ...], consent: str, no_wait: bool, as_json: bool) -> None:
    """Send pictures: files, or https addresses to fetch them from."""
    with Client.of(data) as client:
        found = [_sent(client, picture, consent) for picture in pictures]
        if not no_wait:
            found = [_looked_at(client, one) for one in found]
    print_rows(found if as_json else map(_row, found), _COLUMNS, as_json=as_json)
    bad = [one for one in found if one["state"] in ("refused", "failed")]
    if bad:
        raise CallFailed("; ".join(f"{one['name'] or one['id']}: {_why(one)}" for one in bad))


@inputs.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--most", metavar="NUMBER", type=click.IntRange(1), default=50, show_default=True, help="Number of rows.")
@json_option("Print the API's JSON, one object per line.")
@api_options
def list_(data: Path, *, state: str | None, most: int, as_json: bool) -> None:
    """List inputs, newest first."""
    with Client.of(data) as client:
        found = islice(client.pages("/v1/inputs", **({"state": state} if state else {})), most)
        print_rows(found if as_json else map(_row, found), _COLUMNS, as_json=as_json)


@inputs.command("show")
@click.argument("input_id", metavar="ID")
@json_option("Print the API's JSON.")
@api_options
def show(input_id: str, data: Path, *, as_json: bool) -> None:
    """Show an input, and what was found on it."""
    with Client.of(data) as client:
        found = client.get(f"/v1/inputs/{input_id}")
    click.echo(as_line(found)) if as_json else print_object(found)


@inputs.command("delete", epilog=exit_status("the input is erased", "it was not; standard error says why"))
@click.argument("input_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Show what would follow, and change nothing.")
@api_options
def delete(input_id: str, data: Path, *, dry_run: bool) -> None:
    """Erase an input.

    Its bytes are deleted. Images that wait for it fail; what was made from it stays. `presswork recall preview --input`
    shows what a recall of that would take back.
    """
    with Client.of(data) as client:
        if dry_run:
            print_object(client.delete(f"/v1/inputs/{input_id}?dry_run=true"))
            return
        client.delete(f"/v1/inputs/{input_id}")
    click.echo(f"{input_id} is erased")


def _sent(client: Client, picture: str, consent: str) -> dict[str, Any]:
    if "://" in picture:
        return client.post("/v1/inputs", {"url": picture, "consent": consent})
    if not (file := Path(picture)).is_file():
        raise click.UsageError(f"there is no file {picture}")
    return client.add_input(file, consent)


def _looked_at(client: Client, one: dict[str, Any]) -> dict[str, Any]:
    while one["state"] in ("received", "checking"):
        one = client.get(f"/v1/inputs/{one['id']}", wait=_WAIT_SECONDS)
    return one


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "size": f"{one['width']} x {one['height']}" if one["width"] else None}


def _why(one: dict[str, Any]) -> str:
    if one["state"] == "refused":
        return "refused by rule " + ", ".join(finding["rule"] for finding in one["findings"])
    return str(one["detail"] or one["reason"])
