"""`presswork demo`: the main job from start to end on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from deploy.client import Client
from deploy.commands.campaign.summary import reply_text
from deploy.commands.campaign.watch import show_progress
from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.files import short_path
from deploy.commands.shared.options import data_option, given_data
from deploy.commands.shared.stack import api_url
from deploy.commands.stack.up import print_phase
from deploy.demo.contact_sheet import write_page, write_picture
from deploy.demo.gallery import Frame, frames
from deploy.demo.goods.photos import write_goods
from deploy.embedded import background
from deploy.extras import require

CAMPAIGN = Path(__file__).parent.parent / "demo" / "campaign.csv"
TEMPLATE = "{product} on a {background} background, {words}"
UPSCALE = 4  # the model makes 128 x 128, the released images are 512 x 512
NAME = "Summer catalogue"


@click.command(
    epilog=exit_status("the campaign is settled and the ledger is intact", "a step failed, or the ledger is not intact")
)
@click.option("--stop", is_flag=True, help="Stop the stack at the end. Otherwise it keeps running.")
@data_option
def demo(data: Path, stop: bool) -> None:
    """Start everything and make the sample campaign.

    Starts the embedded stack, submits the sample campaign, fetches its images, verifies the ledger, and prints where
    everything is.
    """
    require("worker", "embedded")
    started = time.monotonic()
    state = background.start(data, report=print_phase)
    print_phase(f"everything is running after {time.monotonic() - started:.1f} s")
    with Client.of(data) as client:
        reply = client.submit_campaign(
            CAMPAIGN, {"name": NAME, "template": TEMPLATE, "priority": "interactive", "upscale": UPSCALE}
        )
        click.echo(reply_text(reply))
        show_progress(client, reply["id"])
        folder = data / "demo" / reply["id"]
        made = frames(client, reply["id"], folder / "images")
        link = client.console_link()
    page = write_page(made, NAME, folder / "contact-sheet.html")
    picture = write_picture(made, NAME, folder / "contact-sheet.png")
    catalogue = write_goods(data / "demo" / "goods")
    intact = _ledger_is_intact(data)
    verdict = "the ledger is intact" if intact else "FAILED, see above"
    click.echo(
        f"\n  images         {short_path(folder / 'images')}\n"
        f"  contact sheet  {short_path(page)}\n"
        f"                 {short_path(picture)}\n"
        f"  console        {link}   (signs in once, within ten minutes)\n"
        f"  API docs       {api_url(state)}/docs   (key in {short_path(data / 'api.key')})\n"
        f"  audit          ./run presswork audit verify{given_data(data)}   ({verdict})\n"
        f"{_review(made, data)}"
        f"{_catalogue(catalogue, data)}"
    )
    if stop:
        background.stop(data, report=print_phase)
    else:
        click.echo(
            f"The stack keeps running. `./run presswork status{given_data(data)}` shows it, "
            f"`./run presswork down{given_data(data)}` stops it."
        )
    if not intact:
        sys.exit(1)


def _catalogue(file: Path, data: Path) -> str:
    """The lines about the catalogue that can be planned next."""
    folder = short_path(file.parent)
    return (
        f"  catalogue      {short_path(file)}   (40 goods with their photos; docs/catalogue.md)\n"
        f"                 ./run presswork catalogue plan {short_path(file)} --feed {folder}/goods.csv"
        f" --pictures {folder}{given_data(data)}\n"
    )


def _review(made: Sequence[Frame], data: Path) -> str:
    """The line about held items, if there are any."""
    held = sum(frame.state == "held" for frame in made)
    return f"  review         ./run presswork review list{given_data(data)}   ({held} held)\n" if held else ""


def _ledger_is_intact(data: Path) -> bool:
    """Verified as an auditor would: in another process, with the auditor's login only."""
    print_phase("verifying the audit ledger")
    command = [sys.executable, "-m", "deploy.cli", "audit", "verify", "--data", str(data)]
    return subprocess.run(command, check=False, cwd=Path(__file__).resolve().parents[2]).returncode == 0
