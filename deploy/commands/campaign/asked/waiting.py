"""Progress of the check of a large campaign, on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.client import Client
from deploy.client.api import OnCheck

_STAGES = {"waiting": "waits to be checked", "checking": "rows checked", "storing": "rows stored"}


@contextmanager
def shown_check(*, quiet: bool = False) -> Iterator[OnCheck]:
    """What to give the client, so that a person sees how far the check is. Nothing shows for a small file."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("", total=None, visible=False)

        def notify(check: Mapping[str, Any]) -> None:
            said = _STAGES.get(check["stage"], check["stage"])
            rows, done = check["rows"], check["rows_checked"]
            progress.update(task, visible=True, description=said, total=rows, completed=done)

        yield notify
        progress.update(task, visible=False)


def await_check(client: Client, campaign_id: str, *, quiet: bool = False) -> None:
    """Follows the check of a large campaign to its end; of any other id, nothing. Raises CallFailed."""
    check = client.campaign_check(campaign_id)
    if check and check["state"] != "accepted":
        with shown_check(quiet=quiet) as notify:
            client.checked(campaign_id, notify)
