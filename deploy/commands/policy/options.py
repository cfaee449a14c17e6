"""Options of the policy commands, the rule set and images they load, and a verdict as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.shared.exit_status import Undetermined
from policy.errors import PolicyError
from policy.rules import Rules
from policy.verdict import Decision, Verdict
from workers.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

rules_option = click.option(
    "--rules",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PRESSWORK_POLICY_RULES",
    show_envvar=True,
    default=Settings.model_fields["policy_rules"].default,
    show_default="the default rule set",
    help="Rule set.",
)
FILES = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))


def load_rules(path: Path) -> Rules:
    """The rule set. Raises Undetermined with the line of the mistake."""
    try:
        return Rules.load(path)
    except PolicyError as error:
        raise Undetermined(str(error)) from error


def open_image(file: Path) -> NDArray[np.uint8]:
    """The pixels of an image file. Raises Undetermined."""
    from policy.intake.picture import MAX_BYTES, open_picture  # noqa: PLC0415 - the other commands need no pixels

    try:
        with file.open("rb") as stored:
            return open_picture(stored.read(MAX_BYTES + 1)).pixels
    except (PolicyError, OSError) as error:
        raise Undetermined(f"{file}: {error}") from error


def verdict_text(subject: str, verdict: Verdict, *, as_json: bool) -> str:
    """A verdict as lines of text, or as one JSON object."""
    if as_json:
        return json.dumps({"of": subject, **verdict.to_json()})
    lines = [f"{subject}: {verdict.decision}"]
    lines += [f"  {finding.decision:<7} {finding.rule}: {finding.detail}" for finding in verdict.findings]
    lines += [f"  {name} {score:.3f}" for name, score in sorted(verdict.scores.items())]
    if verdict.decision is Decision.HOLD:
        lines.append("  a reviewer must release it")
    return "\n".join(lines)
