"""`presswork demo`: the main job, start to end, on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.shared.options import DEFAULT_DATA, data_option, shown
from deploy.commands.submit import show_progress, summary
from deploy.demo.contact_sheet import write_page, write_picture
from deploy.demo.gallery import Frame, frames
from deploy.embedded import background

CAMPAIGN = Path(__file__).parent.parent / "demo" / "campaign.csv"
TEMPLATE = "{product} on a {background} background, {words}"
UPSCALE = 4  # the model draws 128 x 128, the pictures are 512 x 512
NAME = "Summer catalogue"


@click.command()
@data_option
@click.option("--stop", is_flag=True, help="Stop everything at the end; it goes on running otherwise.")
def demo(data: Path, stop: bool) -> None:
    """Start everything, make the sample campaign, show where the pictures are."""
    started = time.monotonic()
    state = background.start(data, tell=_say)
    _say(f"everything runs ({time.monotonic() - started:.1f} s)")
    with Client.of(data) as client:
        reply = client.submit_campaign(
            CAMPAIGN, {"name": NAME, "template": TEMPLATE, "priority": "interactive", "upscale": UPSCALE}
        )
        click.echo(summary(reply))
        show_progress(client, reply["id"])
        folder = data / "demo" / reply["id"]
        made = frames(client, reply["id"], folder / "images")
    page = write_page(made, NAME, folder / "contact-sheet.html")
    picture = write_picture(made, NAME, folder / "contact-sheet.png")
    proved = _verify(data)
    verdict = "proved just now" if proved else "FAILED, see above"
    click.echo(
        f"\n  images         {shown(folder / 'images')}\n"
        f"  contact sheet  {shown(page)}\n"
        f"                 {shown(picture)}\n"
        f"  API docs       http://127.0.0.1:{state.ports['api']}/docs   (key in {shown(data / 'api.key')})\n"
        f"  audit          ./run presswork audit verify{_option(data)}   ({verdict})\n"
        f"{_review(made, data)}"
    )
    if stop:
        background.stop(data, tell=_say)
    else:
        click.echo(
            f"It goes on running: `./run presswork status{_option(data)}` shows it, `./run presswork down` stops it."
        )
    if not proved:
        sys.exit(1)


def _review(made: Sequence[Frame], data: Path) -> str:
    """What waits for a person, and how to go on with it."""
    held = sum(frame.state == "held" for frame in made)
    return f"  review         ./run presswork review list{_option(data)}   ({held} held)\n" if held else ""


def _verify(data: Path) -> bool:
    """As an auditor would: another process, with the auditor's rights alone."""
    _say("verifying the audit ledger")
    command = [sys.executable, "-m", "deploy.cli", "audit", "verify", "--data", str(data)]
    return subprocess.run(command, check=False, cwd=Path(__file__).resolve().parents[2]).returncode == 0


def _option(data: Path) -> str:
    return "" if data == DEFAULT_DATA else f" --data {shown(data)}"


def _say(text: str) -> None:
    click.echo(f"presswork: {text}")
