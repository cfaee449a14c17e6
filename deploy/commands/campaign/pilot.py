"""`presswork campaign pilot`, `accept` and `reject`: the sample that is made first, and what a person decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from deploy.client import Client
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import short_path, writing
from deploy.commands.shared.options import api_options, given_data, json_option
from deploy.commands.shared.tables import as_line
from deploy.errors import CallFailed

_STATUS = exit_status("the decision is recorded", "the API refused it or did not answer")


@click.command()
@click.argument("request")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Contact sheet of the sample: a file that ends in .html, .pdf or .png.",
)
@json_option("Print the API's JSON.")
@api_options
def pilot(request: str, data: Path, *, output: Path | None, as_json: bool) -> None:
    """Show the sample of a campaign that is made first.

    The digest names exactly what the sheet shows. `presswork campaign accept` and `reject` take it.
    """
    with Client.of(data) as client:
        shown = client.get(f"/v1/requests/{request}/pilot")
        if output is not None:
            _write_sheet(client, shown, output)
    if as_json:
        click.echo(as_line(shown))
        return
    click.echo(pilot_text(shown))
    if output is not None:
        click.echo(f"{len(shown['items']):,} images on {short_path(output)}")
    if shown["ready"]:
        click.echo(f"next: presswork campaign accept {request} --digest {shown['digest']}{given_data(data)}")


def _decision_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        api_options,
        click.option(
            "--rejected",
            multiple=True,
            metavar="ROW[:VARIANT]",
            help="Image of the sample that is not good enough. Without a variant: all of the row. Repeatable.",
        ),
        click.option("--digest", required=True, metavar="SHA256", help="Digest of the sheet that you looked at."),
        click.argument("request"),
    ):
        function = option(function)
    return function


@click.command(epilog=_STATUS)
@_decision_options
def accept(request: str, data: Path, *, digest: str, rejected: tuple[str, ...]) -> None:
    """Accept the pilot of a campaign: the rest is made.

    It takes a key that names its person. The pilot says how many images of its sample may be bad.
    """
    _decide("accept", request, data, digest, rejected)


@click.command(epilog=_STATUS)
@_decision_options
def reject(request: str, data: Path, *, digest: str, rejected: tuple[str, ...]) -> None:
    """Reject the pilot of a campaign: the rest waits.

    `presswork campaign cancel` ends the campaign. `presswork request resume` lets you decide again.
    """
    _decide("reject", request, data, digest, rejected)


def _decide(decision: str, request: str, data: Path, digest: str, rejected: tuple[str, ...]) -> None:
    with Client.of(data) as client:
        here = f"/v1/requests/{request}/pilot"
        ids = _ids(client.get(here)["items"], rejected) if rejected else []
        decided = client.post(f"{here}/{decision}", {"digest": digest, "rejected": ids})
    made = decided["decisions"][-1]
    click.echo(f"{decision}ed: {made['bad']} of {made['images']} images are bad. {made['proves']}")
    click.echo(f"request {request}: {decided['phase']}")


def _ids(items: Iterable[dict[str, Any]], rejected: Iterable[str]) -> list[str]:
    """Ids of sampled items by row, or by row and variant. Raises BadParameter for what is not in the sample."""
    sampled = list(items)
    found: list[str] = []
    for text in rejected:
        row, _, variant = text.partition(":")
        meant = [
            item["item_id"] for item in sampled if str(item["row"]) == row and variant in ("", str(item["variant"]))
        ]
        if not meant:
            raise click.BadParameter(f"{text!r} is no image of the sample", param_hint="--rejected")
        found += meant
    return list(dict.fromkeys(found))


def pilot_text(shown: dict[str, Any]) -> str:
    """What the sample holds, what it proves and who decided, line by line."""
    by = f", by {', '.join(shown['stratify_by'])} ({shown['strata']} strata)" if shown["stratify_by"] else ""
    allowed = f"at most {shown['max_rejected']} may be bad"
    lines = [
        f"pilot of request {shown['request_id']}: {shown['phase']}",
        f"sample: {len(shown['items'])} images for {shown['images']}{by}; {allowed}",
        f"so far: {shown['bad']} failed, refused, recalled or held. {shown['proves']}",
        *(f"{one['decision']}ed with key {one['by']} at {one['at']}: {one['proves']}" for one in shown["decisions"]),
        f"digest: {shown['digest']}",
    ]
    return "\n".join(lines)


def _write_sheet(client: Client, shown: dict[str, Any], output: Path) -> None:
    """The sheet of this very pilot. Raises CallFailed where it changed meanwhile."""
    from deploy.sheet.documents import demand_ending, write_sheet  # noqa: PLC0415 - the libraries of pictures
    from deploy.sheet.tiles import tiles  # noqa: PLC0415

    demand_ending(output)
    request = shown["request_id"]
    pictures = list(tiles(client, request, most=len(shown["items"]), sample=True))
    if client.get(f"/v1/requests/{request}/pilot")["digest"] != shown["digest"]:
        raise CallFailed("the pilot changed while its sheet was made. Remedy: run the command again")
    name = client.request(request)["name"] or f"request {request}"
    with writing(output):
        write_sheet(pictures, f"Pilot of {name}", pilot_text(shown), output)
