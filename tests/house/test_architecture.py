"""Picture of the architecture: drawn from its source, with the processes, the places and the rights of the code."""

from __future__ import annotations

import re
from typing import Any

import yaml

from deploy.embedded.seaweed import ANCHORS, BUCKET, actions
from deploy.embedded.supervisor import PROCESSES
from tests.support.repository import text
from tools.picture import render
from workers.__main__ import USAGE

SOURCE = "docs/architecture.yaml"
ROLES = {(process.program.arguments or ("api",))[-1]: process.role for process in PROCESSES}
# In Postgres the planner logs in as the worker: both move batches on.
DATABASE_ROLES = ROLES | {"planner": "worker"}


def _plan() -> dict[str, Any]:
    plan: dict[str, Any] = yaml.safe_load(text(SOURCE))
    return plan


def _arrows(kind: str) -> set[tuple[str, str]]:
    return {(each["from"].split()[0], each["to"].split()[0]) for each in _plan()["arrows"] if each["kind"] == kind}


def _parts(store: str) -> set[str]:
    return {part["name"] for part in _plan()["stores"][store]["parts"]}


def test_the_picture_is_drawn_from_its_source() -> None:
    assert render(text(SOURCE)) == text("docs/architecture.svg"), "run `python -m tools.picture`"


def test_the_picture_has_every_process_and_no_other() -> None:
    drawn = {name for name, node in _plan()["nodes"].items() if node["kind"] in ("process", "sealer")}
    started = set(USAGE.removeprefix("usage: python -m workers ").split(" | "))
    assert drawn == {"api", *started} == set(ROLES)


def test_an_arrow_to_the_rows_is_a_right_to_write_them() -> None:
    """The security page's table of rights is itself compared with the migrated database."""
    page = text("docs/security.md")
    writing = set[str]()
    for header, body in re.findall(r"^\| Table \| (.*) \|\n\|[-| ]+\|\n((?:\|.*\n)+)", page, re.MULTILINE):
        roles = header.split(" | ")
        for line in body.splitlines():
            table, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not _sealed(table):
                writing |= {r for r, cell in zip(roles, cells, strict=True) if re.search("INSERT|UPDATE|DELETE", cell)}
    assert {process for process, _ in _arrows("rows")} == {p for p, role in DATABASE_ROLES.items() if role in writing}
    assert {place for _, place in _arrows("rows")} == {"rows"}


def _sealed(table: str) -> bool:
    return table.strip("`") in {
        f"audit.{name}" for name in ("checkpoints", "cosignatures", "nodes", "pending", "seal_refusal", "sequence")
    }


def test_an_arrow_to_a_place_is_a_right_to_write_there() -> None:
    allowed = {
        (process, place)
        for process, role in ROLES.items()
        if role != "planner"  # which has no identity in the store
        for place in re.findall(rf"Write:{BUCKET}/(\w+)/\*", " ".join(actions(role)))
    }
    sealing = {(process, place) for process, place in _arrows("seal") if place in _parts("store")}
    assert _arrows("bytes") | sealing == allowed
    assert any(action.startswith(f"Write:{ANCHORS}/") for action in actions("sealer"))
    assert ("sealer", "anchors") in _arrows("seal")


def test_only_the_sealer_seals_and_only_redis_carries_messages() -> None:
    assert {process for process, _ in _arrows("seal")} == {"sealer"}
    assert _arrows("message") == {("api", "redis"), ("planner", "redis"), ("redis", "gpu")}
    given = re.search(r'if role in \((.*)\):\n +values\["REDIS_URL"\]', text("deploy/embedded/environment.py"))
    assert given is not None
    assert set(re.findall(r"\w+", given[1])) == {ROLES["api"], ROLES["planner"], ROLES["gpu"]}
