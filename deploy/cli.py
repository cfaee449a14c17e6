"""Command line: `presswork` and its commands, each imported when it is called, so that `--help` is quick."""

from __future__ import annotations

import importlib
from difflib import get_close_matches

import click

from deploy.commands.shared.exit_status import with_exit_status
from deploy.errors import DeployError
from deploy.extras import missing
from policy.errors import PolicyError
from workers.errors import WorkerError

# command -> (module:attribute, its line in the help); written here so that the help loads none of them
COMMANDS = {
    "demo": ("deploy.commands.demo:demo", "Start everything and make the sample campaign."),
    "up": ("deploy.commands.stack.up:up", "Start the embedded stack: services and application."),
    "down": ("deploy.commands.stack.down:down", "Stop the embedded stack and keep its data."),
    "status": ("deploy.commands.stack.status:status", "Show the components of the embedded stack."),
    "campaign": ("deploy.commands.campaign.group:campaign", "Check, submit, watch and fetch campaigns."),
    "catalogue": ("deploy.commands.catalogue.group:catalogue", "Keep the pictures of a catalogue in order."),
    "console": ("deploy.commands.stack.console:console", "Print a link that opens the console signed in."),
    "inputs": ("deploy.commands.inputs:inputs", "Send pictures in that images are made from."),
    "source": ("deploy.commands.source.group:source", "Register buckets that inputs and feeds are read from."),
    "mark": ("deploy.commands.mark:mark", "Mark pictures that another tool made."),
    "target": ("deploy.commands.target.group:target", "Register buckets that released files are delivered to."),
    "submit": ("deploy.commands.campaign.submit:submit", "Submit a campaign: a file of rows and a prompt template."),
    "watch": ("deploy.commands.campaign.watch:watch", "Show the progress of a request until it is settled."),
    "fetch": ("deploy.commands.campaign.fetch:fetch", "Fetch the files of a request under their names."),
    "request": ("deploy.commands.request:request", "Pause, resume, change and cancel a request."),
    "identify": ("deploy.commands.identify:identify", "Check whether images were made by this installation."),
    "review": ("deploy.commands.review:review", "List held images, and release or refuse them."),
    "recall": ("deploy.commands.recall:recall", "Withdraw released images."),
    "audit": ("deploy.commands.audit.group:audit", "Verify the ledger, query it, and export evidence."),
    "ledger": ("deploy.commands.ledger:ledger", "Replace the signing key of the ledger."),
    "witness": ("deploy.commands.witness:witness", "Run a witness that cosigns the heads of other logs."),
    "privacy": ("deploy.commands.privacy:privacy", "Erase private text and manage legal holds."),
    "policy": ("deploy.commands.policy.group:policy", "Inspect, test and approve rule sets."),
    "marks": ("deploy.commands.marks:marks", "Read the watermark and the manifest of images."),
    "reproduce": ("deploy.commands.reproduce:reproduce", "Draw the released asset ID again and compare."),
    "models": ("deploy.commands.models.group:models", "Add, approve, retire, audit and show models."),
    "doctor": ("deploy.commands.installation.doctor:doctor", "Examine an installation and say what to mend."),
    "workers": ("deploy.commands.workers:workers", "List workers, and put devices back into use."),
    "key": ("deploy.commands.key:key", "Create API keys."),
    "mcp": ("deploy.commands.mcp:mcp", "Serve tools for agents (Model Context Protocol)."),
    "env": ("deploy.commands.stack.env:env", "Print the settings of a role as shell exports."),
    "backup": ("deploy.commands.installation.backup:backup", "Dump the database, while everything runs."),
    "restore": ("deploy.commands.installation.backup:restore", "Restore a backup into an empty database."),
    "provision": ("deploy.commands.installation.provision:provision", "Print or make logins, buckets and policies."),
    "migrate": ("deploy.commands.installation.migrate:migrate", "Upgrade a database to the newest revision."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported one by one, and whose domain errors are messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return with_exit_status(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := get_close_matches(args[0], COMMANDS, 1):
                raise click.UsageError(f"{error.message.rstrip('.')}. Did you mean '{near[0]}'?", ctx=ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (DeployError, PolicyError, WorkerError) as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            found = missing(error.name)
            if found is None:
                raise
            raise click.ClickException(str(found)) from error


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="presswork")
def main() -> None:
    """Batch image generation with screening, marks and an audit ledger.

    `presswork demo` starts everything on this machine and makes the sample campaign. All data of the embedded stack
    lies in one directory: .presswork, or the one that --data or PRESSWORK_DATA names.

    \b
    Exit status:
      0  success, or the answer yes
      1  failure, or the answer no
      2  wrong usage, or the command could not find out
    `presswork COMMAND --help` lists the exit codes of each command.
    """


if __name__ == "__main__":
    main()
