"""Settings of the installation that a command works on: of the environment, or of the embedded stack of --data.

The environment counts if it names a database (PRESSWORK_DATABASE_URL) and --data was not given.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from pydantic import ValidationError

from deploy.errors import SettingsInvalid
from deploy.extras import require
from workers.settings import Settings

_PREFIX = "PRESSWORK_"


def installation_settings(data: Path, role: str, *, with_auditor: bool = False) -> Settings:
    """Settings with the logins of `role`; `with_auditor` adds the embedded stack's auditor login.

    Everything that the stack does not decide, such as a retention period, comes from the environment in either case.
    Raises ExtraMissing, NotRunning, and SettingsInvalid with every problem.
    """
    try:
        if names_an_installation():
            return Settings()
        return Settings(**_of_stack(data, role, with_auditor=with_auditor))
    except ValidationError as error:
        raise SettingsInvalid(problems_of(error)) from error


def names_an_installation() -> bool:
    """Whether the environment names a database and the command was given no --data: nothing is done elsewhere then."""
    given = click.get_current_context().get_parameter_source("data")
    return given is ParameterSource.DEFAULT and f"{_PREFIX}DATABASE_URL" in os.environ


def _of_stack(data: Path, role: str, *, with_auditor: bool) -> dict[str, Any]:
    require("embedded")  # a missing module must not look like a failed verification
    from deploy.commands.shared.stack import attached  # noqa: PLC0415 - an installation may lack the embedded extra
    from deploy.embedded.environment import settings_of, with_second_anchor_of  # noqa: PLC0415

    stack = attached(data)
    values = with_second_anchor_of(os.environ, settings_of(stack, role))
    if with_auditor:
        values[f"{_PREFIX}AUDITOR_DATABASE_URL"] = stack.postgres.url("auditor")
    return {name.removeprefix(_PREFIX).lower(): value for name, value in values.items()}


def problems_of(error: ValidationError) -> str:
    """Every problem by the name of its variable, without the values: they may be secrets."""
    found = [
        ": ".join(filter(None, (f"{_PREFIX}{problem['loc'][0]}".upper() if problem["loc"] else "", problem["msg"])))
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return "; ".join(found)
