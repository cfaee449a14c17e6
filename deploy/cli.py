"""`presswork`: the commands, each loaded when it is called, so that `--help` is quick."""

from __future__ import annotations

import importlib

import click

from deploy.errors import DeployError
from policy.errors import PolicyError
from workers.errors import WorkerError

# command -> (module:attribute, its line in the help); written here so that the help loads none of them
_COMMANDS = {
    "demo": ("deploy.commands.demo:demo", "Start everything, make the sample campaign, show the pictures."),
    "up": ("deploy.commands.stack:up", "Start Postgres, Valkey, SeaweedFS, API, planner, sealer, worker."),
    "down": ("deploy.commands.stack:down", "Stop everything; the data stays."),
    "status": ("deploy.commands.stack:status", "Show what runs, where and since when."),
    "submit": ("deploy.commands.submit:submit", "Send a CSV times a template to the API."),
    "watch": ("deploy.commands.submit:watch", "Show the progress of a request."),
    "identify": ("deploy.commands.identify:identify", "Say whether picture files were made here."),
    "review": ("deploy.commands.review:review", "Look at held pictures, release or refuse them."),
    "recall": ("deploy.commands.recall:recall", "Take released pictures back: look, order, follow."),
    "audit": ("deploy.commands.audit.group:audit", "Verify the ledger, read it, prove what it says."),
    "ledger": ("deploy.commands.ledger:ledger", "Give the sealer a new key."),
    "witness": ("deploy.commands.witness:witness", "Cosign the heads of logs of others."),
    "privacy": ("deploy.commands.privacy:privacy", "Erase private text, place legal holds, see what retention does."),
    "policy": ("deploy.commands.policy.group:policy", "Rule sets, and what they say of a prompt or a picture."),
    "marks": ("deploy.commands.marks:marks", "Read watermarks and manifests of picture files."),
    "models": ("deploy.commands.models:models", "Model cards, and the bytes they pin."),
    "key": ("deploy.commands.key:key", "Make API keys."),
    "env": ("deploy.commands.stack:env", "Print a role's settings as shell exports."),
    "migrate": ("deploy.commands.stack:migrate", "Bring a database to the newest revision."),
}


class _Lazy(click.Group):
    """A group whose commands are imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (DeployError, PolicyError, WorkerError) as error:
            raise click.ClickException(str(error)) from error


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="presswork")
def main() -> None:
    """Batch image generation a company can put its name behind.

    Begin with `presswork demo`. Everything runs on this machine, under one data directory
    (.presswork in the checkout, or --data).
    """


if __name__ == "__main__":
    main()
