"""Help of the command line: every command, option, default and exit code, and the file in which a command lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from deploy.cli import COMMANDS as LISTED
from deploy.cli import main


def presswork(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command, as one types it with its groups."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


COMMANDS = dict(commands(main))
LEAVES = {name: command for name, command in COMMANDS.items() if not isinstance(command, click.Group)}
ELSEWHERE = {  # commands whose file is named for what several of them share, or that are short for another
    "submit": "deploy.commands.campaign.submit",
    "watch": "deploy.commands.campaign.watch",
    "fetch": "deploy.commands.campaign.fetch",
    "request change": "deploy.commands.campaign.change",
    "campaign accept": "deploy.commands.campaign.pilot",
    "campaign reject": "deploy.commands.campaign.pilot",
    "audit approvals": "deploy.commands.audit.questions",
    "audit report": "deploy.commands.audit.report.command",
    "audit lock": "deploy.commands.audit.delivered.lock",
    "audit asset": "deploy.commands.audit.questions",
    "audit made-by": "deploy.commands.audit.questions",
    "audit refused": "deploy.commands.audit.questions",
    "audit reviews": "deploy.commands.audit.questions",
    "audit still-public": "deploy.commands.audit.questions",
    "audit counts": "deploy.commands.audit.questions",
    "up": "deploy.commands.stack.up",
    "down": "deploy.commands.stack.down",
    "status": "deploy.commands.stack.status",
    "env": "deploy.commands.stack.env",
    "console": "deploy.commands.stack.console",
    "backup": "deploy.commands.installation.backup",
    "restore": "deploy.commands.installation.backup",
    "doctor": "deploy.commands.installation.doctor",
    "migrate": "deploy.commands.installation.migrate",
    "provision": "deploy.commands.installation.provision",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    told = presswork(*name.split(), "--help")
    assert (told.exit_code, told.output.startswith(f"Usage: main {name}")) == (0, True)
    assert COMMANDS[name].help
    options = [option for option in COMMANDS[name].params if isinstance(option, click.Option)]
    unexplained = [
        o.name for o in options if not (o.help and o.help[0].isupper() | (":" in o.help) and o.help[-1] == ".")
    ]
    assert unexplained == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_list_of_commands_cuts_no_explanation_short(name: str) -> None:
    line = COMMANDS[name].get_short_help_str(60)
    assert line.endswith(".")
    assert not line.endswith("...")


def test_the_list_of_all_commands_says_what_each_command_says_of_itself() -> None:
    top = {name: command.get_short_help_str(60) for name, command in COMMANDS.items() if " " not in name}
    assert {name: line for name, (_, line) in LISTED.items()} == top


@pytest.mark.parametrize("name", LEAVES)
def test_an_option_with_a_value_says_what_kind_of_value_and_what_it_is_without(name: str) -> None:
    options = [o for o in LEAVES[name].params if isinstance(o, click.Option) and not o.is_flag]
    vague = [o.opts for o in options if o.metavar is None and not isinstance(o.type, click.Choice)]
    silent = [
        o.opts
        for o in options
        if o.to_info_dict()["default"] not in (None, (), [], "") and not (o.show_default or o.multiple)
    ]
    assert (vague, [o for o in silent if "--help" not in o]) == ([], [])


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_lists_its_exit_codes(name: str) -> None:
    status = presswork(*name.split(), "--help").output.partition("Exit status:\n")[2]
    assert re.findall(r"^    (\d)  \S", status, re.MULTILINE)[:3] == ["0", "1", "2"]
    assert "wrong usage" in status


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_lies_in_the_file_of_its_name(name: str) -> None:
    group, _, own = name.partition(" ")
    places = {f"deploy.commands.{group}.{own}", f"deploy.commands.{group}"}
    module = LEAVES[name].callback.__module__.replace("_", "-")
    assert module in places or LEAVES[name].callback.__module__ == ELSEWHERE.get(name)


@pytest.mark.parametrize("name", LEAVES)
def test_wrong_usage_exits_with_the_code_that_the_help_lists_for_it(name: str) -> None:
    told = presswork(*name.split(), "--no-such-option")
    listed = presswork(*name.split(), "--help").output.partition("Exit status:\n")[2]
    (code,) = re.findall(r"^    (\d)  .*wrong usage", listed, re.MULTILINE)
    assert told.exit_code == int(code)
    assert "No such option" in told.output
