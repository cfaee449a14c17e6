"""`presswork campaign fetch`: files of a request into a folder, a ZIP or a bucket, while it runs."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeElapsedColumn

from deploy.client import Client
from deploy.client.fetch import Fetch, Progress
from deploy.client.targets import target_of
from deploy.commands.campaign.asked.waiting import await_check
from deploy.commands.campaign.summary import summary_text
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line


@click.command(epilog=exit_status("every released file is there", "a file is missing, or the API or the target failed"))
@click.argument("request")
@click.option("--to", metavar="TARGET", required=True, help="Folder, file that ends in .zip, or s3://bucket/prefix.")
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Only these files. Repeatable.")
@click.option("--now", is_flag=True, help="Fetch what is there, and do not wait for the rest.")
@json_option("Print one JSON object at the end, and no progress.")
@api_options
@click.pass_context
def fetch(
    ctx: click.Context, request: str, data: Path, *, to: str, channels: tuple[str, ...], now: bool, as_json: bool
) -> None:
    """Fetch the files of a request under their names.

    Fetches while the request runs, until it is finished.

    Each file is compared with its SHA-256. The target also gets manifest.csv and manifest.jsonl. Run the command again
    after a break: what is there is not fetched again.
    """
    target = target_of(to)
    columns = (TextColumn("{task.description}"), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Client.of(data) as client, Bar(*columns, console=Console(stderr=True), disable=as_json) as bar:
        if not now:
            await_check(client, request, quiet=True)
        task = bar.add_task("files", said="")
        fetching = Fetch(client, request, target, channels, lambda now: bar.update(task, said=_said(now)))
        done = fetching.run(follow=not now)
    counts = {"files": done.files, "fetched": done.fetched, "bytes": done.bytes, "problems": done.problems}
    if as_json:
        click.echo(as_line({"request": request, "target": str(target), **counts, "summary": done.status["summary"]}))
    else:
        click.echo(f"{done.files:,} files in {target}, {done.fetched:,} of them fetched now ({done.bytes:,} bytes)")
        click.echo(summary_text(done.status))
        for problem in done.problems:
            click.echo(f"missing: {problem}", err=True)
        if done.status["summary"]["failed"]:
            click.echo(f"next: presswork campaign items {request} --only failed -o failed.csv; correct it, submit it")
    ctx.exit(1 if done.problems else 0)


def _said(now: Progress) -> str:
    counts = "  ".join(f"{count} {state}" for state, count in now.status["counts"].items() if count)
    return f"{now.files:,} there, {now.fetched:,} fetched, {now.bytes / 2**20:,.1f} MiB   {counts}"
