"""`presswork request`: pause, resume, change and cancel a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.campaign.change import change, standing
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options

_STATUS = exit_status("the request is as asked for", "the API refused it or did not answer")


@click.group()
def request() -> None:
    """Pause, resume, change and cancel a request.

    REQUEST is the id that `presswork submit` printed.
    """


@request.command(epilog=_STATUS)
@click.argument("request_id", metavar="REQUEST")
@api_options
def pause(request_id: str, data: Path) -> None:
    """Plan nothing new; what is in flight is finished."""
    _post(data, request_id, "pause")


@request.command(epilog=_STATUS)
@click.argument("request_id", metavar="REQUEST")
@api_options
def resume(request_id: str, data: Path) -> None:
    """Let a paused request go on."""
    _post(data, request_id, "resume")


@request.command(epilog=_STATUS)
@click.argument("request_id", metavar="REQUEST")
@click.option("--rows", multiple=True, metavar="FIRST[-LAST]", help="Rows of the spreadsheet. Repeatable.")
@click.option("--custom-id", "custom_ids", multiple=True, metavar="ID", help="Rows by their custom_id. Repeatable.")
@click.option("--variant", "variants", multiple=True, metavar="NUMBER", type=int, help="Variants, from 0. Repeatable.")
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Images with this file. Repeatable.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Rows with this cell. Repeatable.")
@api_options
def cancel(
    request_id: str,
    data: Path,
    *,
    rows: tuple[str, ...],
    custom_ids: tuple[str, ...],
    variants: tuple[int, ...],
    channels: tuple[str, ...],
    where: tuple[str, ...],
) -> None:
    """Cancel what is open of a request, or a part of it.

    Several options select what all of them select. What is released stays.
    """
    part: dict[str, Any] = {"rows": [_range(text) for text in rows], "custom_ids": [*custom_ids]}
    part |= {"variants": [*variants], "channels": [*channels], "columns": {}}
    for text in where:
        column, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not COLUMN=VALUE", param_hint="--where")
        part["columns"].setdefault(column, []).append(value)
    with Client.of(data) as client:
        reply = client.post(f"/v1/requests/{request_id}/cancel", {name: value for name, value in part.items() if value})
        click.echo(f"cancelled: {reply['cancelled']} items")


def _post(data: Path, request_id: str, verb: str) -> None:
    with Client.of(data) as client:
        click.echo(standing(client.post(f"/v1/requests/{request_id}/{verb}")))


def _range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    try:
        return [int(first), int(last or first)]
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a row nor FIRST-LAST", param_hint="--rows") from None


request.add_command(change)
