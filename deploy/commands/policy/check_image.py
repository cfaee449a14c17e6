"""`presswork policy check-image`: the verdict of a rule set on images."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deploy.commands.policy.options import FILES, load_rules, open_image, rules_option, verdict_text
from deploy.commands.shared.exit_status import Undetermined, exit_status
from deploy.commands.shared.options import json_option
from policy.errors import PolicyError


@click.command(
    "check-image",
    epilog=exit_status(
        "every image is allowed",
        "at least one image is held or refused",
        "an image, a classifier or the rule set could not be read, or wrong usage",
    ),
)
@FILES
@json_option("Print the verdict as one JSON object per image, as the ledger stores it.")
@rules_option
def check_image(files: tuple[Path, ...], as_json: bool, path: Path) -> None:
    """Check image FILES against the rule set and its classifiers."""
    from policy.images.screen import ImageScreen  # noqa: PLC0415 - loads onnxruntime

    try:
        screen = ImageScreen.load(load_rules(path))
    except PolicyError as error:
        raise Undetermined(str(error)) from error
    allowed = True
    for file in files:
        (verdict,) = screen.screen(open_image(file)[None])
        click.echo(verdict_text(str(file), verdict, as_json=as_json))
        allowed &= verdict.allowed
    for name, revision in screen.revisions.items() if not as_json else ():
        click.echo(f"  classifier: {name}, {revision}")
    sys.exit(0 if allowed else 1)
