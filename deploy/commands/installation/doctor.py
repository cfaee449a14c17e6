"""`presswork doctor`: examines an installation role by role, and says what to mend."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from click.core import ParameterSource
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from deploy.commands.shared.exit_status import exit_status
from deploy.commands.shared.options import data_option, json_option
from deploy.commands.shared.settings import installation_settings
from deploy.commands.shared.tables import as_line, cell
from deploy.doctor.diagnosis import Diagnosis, Health
from deploy.doctor.examination import ROLES, examine

_COLOURS = {Health.OK: "green", Health.UNKNOWN: "blue", Health.WARNING: "yellow", Health.WRONG: "red"}
_LOGIN = "presswork_"


@click.command(
    epilog=exit_status(
        "nothing is wrong; warnings may be there", "something is wrong; each line names its remedy", "wrong usage"
    )
)
@click.option(
    "--role",
    "roles",
    type=click.Choice(ROLES),
    multiple=True,
    help="Only this role. Repeatable. By default every role of the embedded stack, or the role whose login the"
    " environment holds.",
)
@json_option("Print one JSON object per finding.")
@data_option
@click.pass_context
def doctor(ctx: click.Context, data: Path, roles: tuple[str, ...], *, as_json: bool) -> None:
    """Examine an installation and say what to mend.

    Each role is examined with its own logins: Postgres, Redis, buckets, files, keys, and what should run. On an
    installation of your own, run it once in the environment of each process. It writes one small object
    to the bucket and deletes it, and nothing else.
    """
    states: Counter[Health] = Counter()
    for role in roles or _roles_here(ctx):
        if not as_json:
            click.secho(role, bold=True)
        for finding in _findings(data, role):
            states[finding.state] += 1
            if as_json:
                click.echo(as_line({"role": role, **finding._asdict()}))
            else:
                _show(finding)
    if not as_json:
        click.echo(", ".join(f"{count} {state}" for state in Health if (count := states[state])))
    if states[Health.WRONG]:
        ctx.exit(1)


def _roles_here(ctx: click.Context) -> tuple[str, ...]:
    url = os.environ.get("PRESSWORK_DATABASE_URL")
    if url is None or ctx.get_parameter_source("data") is not ParameterSource.DEFAULT:
        return ROLES
    try:
        login = make_url(url).username or ""
    except ArgumentError:
        login = ""
    role = login.removeprefix(_LOGIN)
    if role not in ROLES:
        raise click.UsageError(f"the environment's database login is none of {_LOGIN}ROLE: say which --role it is for")
    return (role,)


def _findings(data: Path, role: str) -> Iterator[Diagnosis]:
    return examine(installation_settings(data, role), role)


def _show(finding: Diagnosis) -> None:
    state = click.style(f"{finding.state:<8}", fg=_COLOURS[finding.state])
    click.echo(f"  {state} {finding.subject}: {cell(finding.found)}")
    if finding.remedy:
        click.echo(f"           remedy: {cell(finding.remedy)}")
