"""`presswork audit forward`: sealed events as CloudEvents to a SIEM, resumed by leaf index.

Killed after a page was taken and before its position was written down: that page is sent once more. Receivers tell
by the id of an event. An object in S3 is named by its first leaf, so the second time replaces the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import click

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import writing
from deploy.commands.shared.ledger import auditor_settings, open_ledger
from deploy.commands.shared.options import data_option, tenant_option
from policy.ledger.reading.cloud_events import MEDIA_TYPE, batch, lines
from policy.ledger.reading.events import Recorded
from policy.ledger.reading.stream import leaves_from

PAGE = 500  # events of one request or object: 0.5 to 2 MB
_SECONDS = 30.0  # for a receiver to answer
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Send = Callable[[Sequence[Recorded]], None]


@click.command(
    epilog=exit_status(
        "every sealed event was taken", "the target did not take a page; the position is that of the last it took",
        "the ledger could not be read, or wrong usage",
    )
)  # fmt: skip
@click.option("--to", "target", required=True, metavar="URL|FILE",
              help="https://..., s3://BUCKET/PREFIX, or a file to append to.")  # fmt: skip
@click.option("--position", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="File that keeps the next leaf index. Created with --from-leaf or 0.")  # fmt: skip
@click.option("--from-leaf", "leaf", type=click.IntRange(min=0), metavar="INDEX",
              help="Begin at this leaf index instead of where the position file says.")  # fmt: skip
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="File with a bearer token for an HTTP target.")  # fmt: skip
@tenant_option("Only events of this tenant.")
@data_option
def forward(
    *, target: str, position: Path, leaf: int | None, token_file: Path | None, tenant: str | None, data: Path
) -> None:
    """Send sealed events to a SIEM as CloudEvents.

    Run it on a schedule. Each run sends what was sealed since the last one, in the order of leaves, and ends. An HTTP
    target gets application/cloudevents-batch+json and must answer 2xx. S3 takes its address and credentials from the
    AWS environment variables. An event may arrive twice, never not at all.
    """
    settings = auditor_settings(data)
    send = _sender(target, settings.ledger_origin, token_file)
    following = leaf if leaf is not None else _position(position)
    sent = 0
    with open_ledger(settings) as conn:
        for page in leaves_from(lambda: nullcontext(conn), following, tenant=tenant, page=PAGE):
            send(page)
            following = 1 + max(one.index for one in page if one.index is not None)
            _remember(position, following)
            sent += len(page)
    _remember(position, following)
    click.echo(f"sent {sent:,} events; next leaf {following}")


def _sender(target: str, source: str, token_file: Path | None) -> Send:
    address = urlsplit(target)
    match address.scheme:
        case "https" | "http":
            if address.scheme == "http" and address.hostname not in _LOOPBACK:
                raise click.UsageError("--to: give an https address; plain HTTP is for this machine only")
            token = token_file.read_text().strip() if token_file else ""
            return lambda page: _post(target, batch(page, source), token)
        case "s3":
            if not address.netloc:
                raise click.UsageError("--to: name a bucket, as s3://BUCKET/PREFIX")
            return lambda page: _put(address.netloc, address.path.lstrip("/"), page, source)
        case "":
            return lambda page: _append(Path(target), b"".join(lines([list(page)], source)))
        case other:
            raise click.UsageError(f"--to: {other} is no kind of target; give https, s3 or a file")


def _post(url: str, body: bytes, token: str) -> None:
    import httpx  # noqa: PLC0415 - the other commands need no client

    headers = {"Content-Type": MEDIA_TYPE} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=_SECONDS)
    except httpx.HTTPError as error:
        raise click.ClickException(f"{url}: {type(error).__name__}: {error}") from error
    if not answer.is_success:
        raise click.ClickException(f"{url} answered {answer.status_code}; nothing of this page counts as sent")


def _put(bucket: str, prefix: str, page: Sequence[Recorded], source: str) -> None:
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    first = min(one.index for one in page if one.index is not None)
    key = f"{prefix.rstrip('/')}/leaf-{first:012}.jsonl".lstrip("/")
    try:
        boto3.client("s3").put_object(
            Bucket=bucket, Key=key, Body=b"".join(lines([list(page)], source)), ContentType="application/x-ndjson"
        )
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"s3://{bucket}/{key}: {error}") from error


def _append(path: Path, body: bytes) -> None:
    with writing(path), path.open("ab") as file:
        file.write(body)


def _position(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        return int(json.loads(path.read_text("utf-8"))["next_leaf"])
    except (KeyError, TypeError, ValueError) as error:
        raise click.UsageError(f"{path} is no position file; give --from-leaf to begin anew") from error


def _remember(path: Path, following: int) -> None:
    with writing(path):
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_text(json.dumps({"next_leaf": following}) + "\n", "utf-8")
        unfinished.replace(path)
