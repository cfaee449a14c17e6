"""`presswork campaign channels`: makes other files of what a request released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("the files are being made", "the API refused it, or did not answer"))
@click.argument("request")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="PRESET|JSON",
    help='Further file of each image: square, or {"name": "shop", "size": [1200, 1500]}. Repeatable.',
)
@click.option("--rendition", "renditions", multiple=True, metavar="NAME", help="File in full size, such as webp.")
@click.option("--file", metavar="TEXT", help='Name of each file, such as "{sku}.{channel}.{ext}".')
@click.option("--deliver", metavar="TARGET[/PREFIX]", help="Deliver the files to this target, as they are released.")
@json_option()
@api_options
def channels(request: str, data: Path, *, as_json: bool, **asked: Any) -> None:
    """Make other files of what a request released.

    They are made of kept drawings, without a GPU and without cost, as a linked request. The earlier files stay.
    """
    with Client.of(data) as client:
        done = client.post(f"/v1/requests/{request}/channels", _body(**asked))
    if as_json:
        click.echo(as_line(done))
        return
    click.echo(f"request {done['id']}: {done['items']} images in other files, of request {done['parent_id']}")
    if done["reused_items"]:
        click.echo(f"  that have these files already: {done['reused_items']}")
    if done["without_drawing"]:
        click.echo(f"  left out, as no drawing is kept: {done['without_drawing']}. Send their rows again.")
    click.echo(f"next: presswork fetch {done['id']} --to DIR")


def _body(
    channels: tuple[str, ...], renditions: tuple[str, ...], file: str | None, deliver: str | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"channels": [_channel(text) for text in channels]}
    if renditions:
        body["renditions"] = list(renditions)
    if file:
        body["file"] = file
    if deliver:
        target, _, prefix = deliver.partition("/")
        body["deliver"] = {"target": target, "prefix": prefix}
    return body


def _channel(text: str) -> Any:
    """A preset's name, or the fields of a channel. Raises UsageError."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--channel is no JSON: {error}") from None
