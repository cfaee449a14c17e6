"""`presswork source add`: register a bucket that inputs and feeds are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.secrets import secret_of
from deploy.commands.shared.tables import as_line, print_object

_SECRET = "PRESSWORK_SOURCE_SECRET"  # noqa: S105 - the name of a variable


@click.command(epilog=exit_status("it is registered", "it is not; standard error says why"))
@click.argument("bucket", metavar="BUCKET")
@click.option("--endpoint", metavar="URL", required=True, help="Address of the store: https, without a path.")
@click.option("--prefix", metavar="PATH", default="", help="Path of what may be read.", show_default="the whole bucket")
@click.option("--region", metavar="REGION", default="us-east-1", show_default=True, help="Region of the bucket.")
@click.option("--access-key-id", metavar="ID", required=True, help="Key that may read there, and nothing else.")
@click.option("--secret-file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              show_default=f"the variable {_SECRET}", help="File that holds the secret of that key.")  # fmt: skip
@json_option("Print the API's JSON.")
@api_options
def add(data: Path, *, secret_file: Path | None, as_json: bool, **asked: Any) -> None:
    """Register the bucket BUCKET of your own.

    Its objects are s3://BUCKET/PATH from then on. Nothing is read now. The secret is never shown again.
    """
    secret = secret_of(secret_file, _SECRET)
    with Client.of(data) as client:
        found = client.post("/v1/sources", {**asked, "secret_access_key": secret})
    click.echo(as_line(found)) if as_json else print_object(found)
