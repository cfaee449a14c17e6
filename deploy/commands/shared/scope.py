"""Options that narrow an auditor's question: time, tenant, campaign, maker, policy version, rule, category."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from deploy.commands.shared.instants import InstantType, refuse_empty_span
from policy.ledger.reading.scope import Scope

_VERSION = re.compile(r"sha256:[0-9a-f]{64}")


def scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--from, --to, --tenant, --campaign, --model, --revision, --lora, --policy, --rule and --category."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def scope_of(asked: Mapping[str, Any]) -> Scope:
    """The scope that the options name. Raises UsageError for an empty span."""
    refuse_empty_span(asked["since"], asked["until"], "--from", "--to")
    return Scope(**asked)


def _digest(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _VERSION.fullmatch(value):
        raise click.BadParameter("must be sha256: and 64 hexadecimal digits")
    return value


_OPTIONS = (
    click.option("--from", "since", type=InstantType(), metavar="INSTANT", help="At this instant or later."),
    click.option("--to", "until", type=InstantType(), metavar="INSTANT", help="Before this instant."),
    click.option("--tenant", metavar="TENANT", help="Only data of this tenant."),
    click.option("--campaign", metavar="NAME|ID", help="Only of this campaign: the name or the id of a request."),
    click.option("--model", metavar="NAME", help="Only what this model made."),
    click.option("--revision", callback=_digest, metavar="sha256:...", help="Only what this model revision made."),
    click.option("--lora", metavar="NAME", help="Only what this LoRA had a part in."),
    click.option("--policy", callback=_digest, metavar="sha256:...", help="Only under this policy version."),
    click.option("--rule", metavar="RULE", help="Only where this rule spoke."),
    click.option("--category", metavar="CATEGORY", help="Only where a rule of this category spoke."),
)
