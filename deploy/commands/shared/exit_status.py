"""Exit codes of the commands: 0, 1 and 2 mean the same everywhere, and the help of each command lists its own.

0 is success, or the answer yes. 1 is a failure, or the answer no. 2 is wrong usage, or no answer: the command could not
find out. So a script that only continues on 0 never mistakes a failure for a yes.
"""

from __future__ import annotations

import click

WRONG_USAGE = "wrong usage"


class Undetermined(click.ClickException):
    """The command could not find out: neither yes nor no."""

    exit_code = 2


def exit_status(success: str, failure: str, *more: str) -> str:
    """The epilog of a command's help: what it exits with, from 0 upwards. Without `more`, 2 is wrong usage."""
    meanings = (success, failure, *(more or (WRONG_USAGE,)))
    return "\n".join(["\b", "Exit status:", *(f"  {code}  {meaning}" for code, meaning in enumerate(meanings))])


STANDARD = exit_status("success", "failure; standard error says why")


def with_exit_status(command: click.Command) -> click.Command:
    """The command, and the commands below it, with the standard epilog where they have none of their own."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_exit_status(below)
    elif not command.epilog:
        command.epilog = STANDARD
    return command
