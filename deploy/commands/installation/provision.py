"""`presswork provision`: logins, database, buckets, policies and keys for managed services, to review or to make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from deploy.commands.shared.exit_status import exit_status


@click.command(
    epilog=exit_status(
        "printed, or everything is there", "a service refused; what was made stays, and a repeat goes on"
    )
)
@click.option("--apply", "applies", is_flag=True, help="Make it. Without this, print it for a person to review.")
@click.option(
    "--admin-url",
    metavar="URL",
    envvar="PRESSWORK_ADMIN_URL",
    show_envvar=True,
    help="Postgres URL with an administrator's login. With --apply.",
)
@click.option("--database", metavar="NAME", default="presswork", show_default=True, help="Name of the database.")
@click.option("--bucket", metavar="BUCKET", default="presswork", show_default=True, help="Name of the bucket.")
@click.option(
    "--second-bucket",
    default="presswork-anchors",
    show_default=True,
    metavar="BUCKET",
    help="Name of the second bucket, with object lock, for checkpoints. Empty: none.",
)
@click.option("--endpoint-url", metavar="URL", help="S3 endpoint. Unset: AWS. boto3's credential chain is used.")
@click.option("--region", metavar="REGION", default="us-east-1", show_default=True, help="S3 region.")
@click.option(
    "--secrets",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("secrets"),
    show_default=True,
    metavar="DIRECTORY",
    help="Folder for passwords, URLs and keys, one file each. With --apply.",
)
@click.option(
    "--ledger-origin",
    metavar="NAME",
    envvar="PRESSWORK_LEDGER_ORIGIN",
    show_envvar=True,
    default="presswork.example/ledger",
    show_default=True,
    help="Name of the log, for its key. With --apply.",
)
def provision(*, applies: bool, admin_url: str | None, secrets: Path, ledger_origin: str, **asked: str | None) -> None:
    """Print or make logins, buckets and policies.

    For an installation on managed services. Prints SQL for Postgres and an IAM policy for each role. With --apply
    it makes the logins with random passwords, the database, the buckets, the key of the ledger and, where no
    signing.pem is there, a development chain. It is safe to repeat. IAM users and their keys are made by nobody but
    you: attach the printed policy of a role to the identity of its processes.
    """
    wanted = _Wanted(**{name: value or None for name, value in asked.items()})
    if not applies:
        _print(wanted)
    elif admin_url:
        _make(admin_url, wanted, secrets, ledger_origin)
    else:
        raise click.UsageError("--apply needs --admin-url, the Postgres URL of an administrator")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The names that the options give."""

    database: str | None
    bucket: str | None
    second_bucket: str | None
    endpoint_url: str | None
    region: str | None

    def __post_init__(self) -> None:
        for name in ("database", "bucket", "region"):
            if not getattr(self, name):
                raise click.UsageError(f"--{name} must not be empty")


def _print(wanted: _Wanted) -> None:
    from deploy.provisioning import identities, logins  # noqa: PLC0415 - --help is quick

    for statement in logins.statements(str(wanted.database)):
        click.echo(statement)
    for role in identities.IDENTITIES:
        click.echo(f"\n-- IAM policy of {role}")
        click.echo(json.dumps(identities.policy(role, str(wanted.bucket), wanted.second_bucket), indent=2))


def _make(admin_url: str, wanted: _Wanted, folder: Path, ledger_origin: str) -> None:
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    from deploy.provisioning import buckets, keys, logins  # noqa: PLC0415
    from deploy.provisioning.secrets import Secrets  # noqa: PLC0415

    try:
        done = logins.create(admin_url, Secrets(folder), str(wanted.database))
    except ArgumentError as error:
        example = "postgresql://admin:...@host/postgres"
        raise click.BadParameter(f"not a URL such as {example}", param_hint="--admin-url") from error
    done += keys.create(folder, ledger_origin)
    done += buckets.create(wanted.endpoint_url, str(wanted.region), str(wanted.bucket), wanted.second_bucket)
    for line in done:
        click.echo(f"presswork: {line}")
    click.echo(f"presswork: passwords and URLs are in {folder}/ROLE/, keys in {folder}/")
    click.echo(
        f'presswork: next: presswork migrate "$(cat {folder}/owner/url)", presswork key create with'
        f" PRESSWORK_DATABASE_URL from {folder}/api/url, presswork doctor for each role"
    )
