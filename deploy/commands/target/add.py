"""`presswork target add`: register a bucket, and wait until it was checked by a write."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.secrets import secret_of
from deploy.commands.shared.tables import as_line, print_object
from deploy.errors import CallFailed

_SECRET = "PRESSWORK_TARGET_SECRET"  # noqa: S105 - the name of a variable
_WAIT_SECONDS = 60.0


@click.command(epilog=exit_status("the bucket can be written to", "it cannot, or the API refused it"))
@click.argument("name", metavar="NAME")
@click.option("--endpoint", metavar="URL", required=True, help="Address of the store: https, without a path.")
@click.option("--bucket", metavar="BUCKET", required=True, help="Name of the bucket.")
@click.option("--prefix", metavar="PATH", default="", help="Path of every object.", show_default="none")
@click.option("--region", metavar="REGION", default="us-east-1", show_default=True, help="Region of the bucket.")
@click.option("--access-key-id", metavar="ID", required=True, help="Key that may write there.")
@click.option("--secret-file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              show_default=f"the variable {_SECRET}", help="File that holds the secret of that key.")  # fmt: skip
@click.option("--on-recall", type=click.Choice(["withdraw", "list"]), default="withdraw", show_default=True,
              help="Delete objects of recalled pictures, or keep and list them.")  # fmt: skip
@json_option("Print the API's JSON.")
@api_options
def add(data: Path, *, secret_file: Path | None, as_json: bool, **asked: Any) -> None:
    """Register the bucket NAME of your own.

    It is checked at once: an object is written, read back and deleted. The secret is never shown again.
    """
    secret = secret_of(secret_file, _SECRET)
    with Client.of(data) as client:
        found = client.post("/v1/targets", {**asked, "secret_access_key": secret})
        found = checked(client, found["id"])
    click.echo(as_line(found)) if as_json else print_object(found)
    if found["state"] != "ready":
        raise CallFailed(f"{found['name']} cannot be written to: {found['reason'] or 'it was not checked in time'}")


def checked(client: Client, target_id: str) -> dict[str, Any]:
    """The target, once it was checked, or after a minute."""
    give_up = time.monotonic() + _WAIT_SECONDS
    while True:
        found = client.get(f"/v1/targets/{target_id}")
        if found["state"] != "checking" or time.monotonic() > give_up:
            return found
        time.sleep(0.3)
