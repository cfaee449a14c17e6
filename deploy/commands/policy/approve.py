"""`presswork policy approve`: a person approves the text of a rule set."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.models.options import database
from deploy.commands.policy.options import load_rules, rules_option
from deploy.commands.shared.options import data_option
from workers.jobs.rulesets.approvals import RulesApproval, spelled
from workers.jobs.rulesets.approvals import approve as approve_rules


@click.command()
@rules_option
@click.option("--by", metavar="PERSON", required=True, help="Who approves. The ledger keeps a salted digest of it.")
@click.option("--reason", metavar="TEXT", default="", show_default="none", help="Why, for people.")
@data_option
def approve(path: Path, data: Path, *, by: str, reason: str) -> None:
    """Approve a rule set as it reads now.

    It is an approval of this text: a changed threshold is another version. Where PRESSWORK_RULES_APPROVALS asks for
    people, a rule set is used once so many different ones approved it. `presswork audit approvals` lists them.
    PRESSWORK_DATABASE_URL is the clerk's: no other login may approve.
    """
    rules = load_rules(path)
    if not spelled(by):
        raise click.BadParameter("write a name", param_hint="--by")
    with database(data, "clerk") as conn:
        people = approve_rules(conn, RulesApproval(rules.version, rules.name, by, reason), actor="presswork policy")
    click.echo(f"{path}: approved by {people} {'person' if people == 1 else 'people'} ({rules.version})")
