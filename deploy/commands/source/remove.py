"""`presswork source remove`: nothing is read from a source any more."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options
from deploy.errors import CallFailed


@click.command(epilog=exit_status("it is removed", "it is not; standard error says why"))
@click.argument("bucket", metavar="BUCKET")
@api_options
def remove(bucket: str, data: Path) -> None:
    """Remove the source BUCKET.

    Nothing is read there any more, and its secret is deleted. What was read stays.
    """
    with Client.of(data) as client:
        found = {str(one["bucket"]): str(one["id"]) for one in client.pages("/v1/sources")}
        if bucket not in found:
            known = ", ".join(found) or "none, add one first"
            raise CallFailed(f"there is no source {bucket}. Remedy: name one of {known}")
        client.delete(f"/v1/sources/{found[bucket]}")
    click.echo(f"{bucket} is removed")
