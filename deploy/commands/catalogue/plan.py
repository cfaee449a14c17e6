"""`presswork catalogue plan`: what an apply would do, without doing it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.catalogue.file import read_file
from deploy.commands.catalogue.pictures import sent_pictures
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import api_options, json_option
from deploy.commands.shared.tables import as_line
from deploy.errors import CallFailed

_PAUSE_SECONDS = 0.3
_APPLIED = ("create", "change", "retire")
_KINDS = ("create", "change", "keep", "retire", "missing", "blocked")
_PLAIN = ("create", "retire", "missing")  # whose causes say nothing more


@click.command(
    epilog=exit_status(
        "nothing to do", "the plan failed, or the API refused it", "something would be made or removed; or wrong usage"
    )
)
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--feed",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_default="the address in `source.url`",
    help="The feed: rows of the catalogue.",
)
@click.option(
    "--pictures",
    metavar="DIRECTORY",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    show_default="none",
    help="Source pictures that the feed names by their path.",
)
@json_option("Print the API's JSON.")
@api_options
@click.pass_context
def plan(
    ctx: click.Context, file: Path, data: Path, *, feed: Path | None, pictures: Path | None, as_json: bool
) -> None:
    """Show what an apply would do, and store the plan.

    FILE is the catalogue. Nothing is drawn. The plan is immutable and expires after a day.
    """
    read = read_file(file)
    if isinstance(read, list):
        for error in read:
            click.echo(f"{file}, {error}", err=True)
        ctx.exit(1)
    with Client.of(data) as client:
        named = sent_pictures(client, read.body, feed, pictures) if pictures and feed else {}
        made = _made(client, client.plan_catalogue(read.body.name, read.written, feed, named))
        changes = [] if as_json or made["state"] != "ready" else list(_first_changes(client, made))
    if as_json:
        click.echo(as_line(made))
    elif made["state"] == "ready":
        click.echo(plan_text(made, changes))
    if made["state"] == "failed":
        raise CallFailed("; ".join(_said(error) for error in made["errors"]))
    ctx.exit(2 if _changes_something(made) else 0)


def plan_text(plan: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> str:
    """What a person reads before an apply."""
    lines = [f"catalogue {plan['catalogue']}, version {plan['version']}: {plan['rows']:,} rows", counts_text(plan)]
    lines += [f"  {_change(one)}" for one in changes]
    if forecast := _forecast(plan["forecast"] or {}):
        lines.append(forecast)
    lines += [f"asks for a person: {safeguard['message']}" for safeguard in plan["safeguards"]]
    if _changes_something(plan):
        confirm = " --confirm" if plan["safeguards"] else ""
        lines.append(f"next: presswork catalogue apply {plan['catalogue']} {plan['id']}{confirm}")
    return "\n".join(lines)


def counts_text(plan: Mapping[str, Any]) -> str:
    """ "create 120, change 41 (photo 30, column colour 11), keep 8,839, missing 3, blocked 2"."""
    said = []
    for kind in _KINDS:
        if kind == "retire" and not plan["counts"].get(kind):
            continue
        causes = {} if kind in _PLAIN else plan["causes"].get(kind, {})
        listed = ", ".join(f"{cause} {count:,}" for cause, count in causes.items())
        said.append(f"{kind} {plan['counts'].get(kind, 0):,}" + (f" ({listed})" if listed else ""))
    return ", ".join(said)


def _changes_something(plan: Mapping[str, Any]) -> bool:
    return any(plan["counts"].get(kind) for kind in _APPLIED)


def _made(client: Client, plan: dict[str, Any]) -> dict[str, Any]:
    while plan["state"] == "planning":
        time.sleep(_PAUSE_SECONDS)
        plan = client.get(f"/v1/catalogues/{plan['catalogue']}/plans/{plan['id']}")
    return plan


def _first_changes(client: Client, plan: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/v1/catalogues/{plan['catalogue']}/plans/{plan['id']}/changes"
    kinds = ("change", "retire", "missing", "blocked")
    return [one for kind in kinds for one in client.get(path, kind=kind, limit=10)["data"]]


def _said(error: dict[str, Any]) -> str:
    place = f"row {error['row']}: " if error.get("row") else ""
    return f"{place}{error['message']}. {error['remedy']}".rstrip()


def _change(one: Mapping[str, Any]) -> str:
    place = f"row {one['row']}, " if one["row"] else ""
    return f"{one['kind']}: {one['key']} ({place}{one['cause']}) {one['detail']}".rstrip()


def _forecast(forecast: Mapping[str, Any]) -> str:
    if not forecast.get("images"):
        return ""
    seconds, cost = forecast.get("gpu_seconds"), forecast.get("cost")
    said = [f"about {seconds['p50']:,} GPU seconds"] if seconds else []
    if cost:
        said.append(f"about {cost['p50']:,} {forecast['currency']}")
    return "; ".join([*said, *filter(None, [forecast.get("message")])])
