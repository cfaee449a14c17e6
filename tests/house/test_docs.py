"""Docs and what they claim: links, paths, tests, commands, settings, metrics and alerts that are really there."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from api.edge.problems import CATALOGUE
from deploy.embedded.supervisor import PROCESSES
from tests.support.repository import REPOSITORY, files, modules, nodes, text
from tools import addresses
from tools.configuration import table
from workers import metrics
from workers.settings import Settings

PAGES = [path for path in files() if path.endswith(".md")]
DASHBOARD = "deploy/grafana/presswork.json"
ALERTS = "deploy/prometheus/alerts.yml"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"(?<![\w./<>-])((?:[a-z_]+/)+[\w-]+\.(?:py|md|ya?ml|json|csv|onnx|png))\b")
_FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    broken = [link for link in _LINK.findall(text(page)) if "://" not in link and not _leads_somewhere(page, link)]
    assert broken == []


def _leads_somewhere(page: str, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
    if not target.exists():
        return False
    return not heading or heading in {_anchor(line) for line in target.read_text("utf-8").splitlines()}


def _anchor(line: str) -> str | None:
    """GitHub's anchor of a heading."""
    found = re.match(r"#+ +(.*)", line)
    return re.sub(r"[^\w\- ]", "", found.group(1).lower()).replace(" ", "-") if found else None


def test_every_file_that_prose_or_comments_name_is_there() -> None:
    missing = {
        (page, name)
        for page in (*PAGES, *modules(), "tools/licences.yaml", "policy/rulesets/default.yaml", "NOTICE")
        for name in _PATH.findall(text(page))
        if name.split("/")[0] in _TOP and not (REPOSITORY / name).exists()
    }
    assert missing == set()


_TOP = {path.split("/")[0] for path in files() if "/" in path}


def test_every_test_that_prose_names_is_there() -> None:
    defined = {
        node.name for path in modules("tests") for node in nodes(path, ast.FunctionDef) if node.name.startswith("test_")
    }
    stems = {path.rsplit("/", 1)[-1].removesuffix(".py") for path in modules("tests")}
    named = {(page, name) for page in PAGES for name in re.findall(r"\b(test_\w+)\b", text(page))}
    assert {(page, name) for page, name in named if name not in defined | stems} == set()


def test_a_test_named_beside_a_link_lives_in_the_linked_file() -> None:
    astray = []
    for page in PAGES:
        for line in text(page).splitlines():
            links = [link for link in _LINK.findall(line) if re.search(r"tests/.*\.py$", link)]
            inside = "".join(((REPOSITORY / page).parent / link).read_text("utf-8") for link in links)
            astray += [name for name in re.findall(r"`(test_\w+)`", line) if links and f"def {name}(" not in inside]
    assert astray == []


def test_the_readme_has_the_configuration_table_that_the_settings_make() -> None:
    assert table() in text("README.md"), "run `python -m tools.configuration` and paste what it prints"


def test_the_limits_in_the_readme_are_those_of_the_settings() -> None:
    rows = _cells("README.md", "Limits")
    assert len(rows) >= 8
    for _, cell, name in rows:
        value = Settings.model_fields[name.strip("`").removeprefix("PRESSWORK_").lower()].default
        assert re.match(rf"({value:,}|{value // 2**20} MiB|{value // 60} minutes)\b", cell), name


def test_the_architecture_page_shows_the_invariants_each_with_its_test() -> None:
    section = text("docs/architecture.md").partition("\n## Invariants\n")[2].partition("\n## ")[0]
    numbered = re.findall(r"^(\d+)\. (.*(?:\n   .*)*)", section, re.MULTILINE)
    assert [int(number) for number, _ in numbered][:12] == list(range(1, 13))
    assert all(re.search(r"tests/\S+\.py\)", words) and "`test_" in words for _, words in numbered)


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in _FENCE.findall(text(page)):
            for line in block.splitlines():
                yield page, line.partition("#")[0].strip()


def test_every_command_in_the_prose_exists() -> None:
    unknown = [(page, line) for page, line in _commands() if line and not _is_known(line.split())]
    assert unknown == []


def _is_known(words: list[str]) -> bool:
    match words:
        case ["./run", "presswork", *rest]:
            return _resolves(rest)
        case ["./run", verb, *_]:
            return re.search(rf"^\s*{verb}\)|\b{verb}\b.*\)", text("run"), re.MULTILINE) is not None
        case ["presswork", *rest]:
            return _resolves(rest)
        case ["python" | ".venv/bin/python", "-m", module, *_]:
            path = module.replace(".", "/")
            return module in ("pytest",) or any(
                (REPOSITORY / f"{path}{end}").exists() for end in (".py", "/__main__.py")
            )
        case ["git" | "cd" | "curl" | "export" | "kill", *_]:
            return True
        case [tool, *_]:
            return tool in {"lint-imports", "mypy", "ruff"} or tool.startswith(".venv/bin/")
    return False


def _resolves(words: list[str]) -> bool:
    """Whether the words lead to a command of `presswork`; options and arguments end the walk."""
    command: click.Command | None = import_module("deploy.cli").main
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    return command is not None and not isinstance(command, click.Group)


def test_every_console_script_leads_to_a_function() -> None:
    scripts = tomllib.loads(text("pyproject.toml"))["project"]["scripts"]
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function))


def _samples() -> dict[str, set[str]]:
    """Every sample name that a process exposes, and its labels."""
    found: dict[str, set[str]] = {}
    for collector in vars(metrics).values():
        if isinstance(collector, MetricWrapperBase):
            (family,) = collector.describe()
            ends = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
            for end in ends:
                found[family.name + end] = {*collector._labelnames, *(("le",) if end == "_bucket" else ())}
    return found


def _expressions() -> list[tuple[str, str]]:
    panels: list[dict[str, Any]] = json.loads(text(DASHBOARD))["panels"]
    shown = [(p["title"], target["expr"]) for p in panels for target in p.get("targets", [])]
    rules = [(rule["alert"], rule["expr"]) for rule in _alerts()]
    return [*shown, *rules]


def _alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text(ALERTS))["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(("title", "expression"), _expressions(), ids=lambda value: str(value)[:40])
def test_dashboard_and_alerts_ask_for_metrics_and_labels_that_exist(title: str, expression: str) -> None:
    samples = _samples()
    asked = set(re.findall(r"\bpresswork_\w+", expression))
    assert asked <= set(samples), title
    labels = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression))
    for listed in re.findall(r"\bby \(([^)]*)\)", expression):
        labels |= {label.strip() for label in listed.split(",")}
    assert labels <= {"job", "instance"}.union(*(samples[name] for name in asked)), title
    assert asked or expression.startswith("up{")


def test_every_metric_is_on_the_dashboard() -> None:
    shown = text(DASHBOARD)
    assert [name for name in _samples() if name.endswith(("_total", "_sum")) and _family(name) not in shown] == []


def _family(sample: str) -> str:
    return sample.removesuffix("_sum")


def test_every_alert_has_its_section_in_the_operations_page() -> None:
    headings = set(re.findall(r"^### (\w+)$", text("docs/operations.md"), re.MULTILINE))
    assert headings == {rule["alert"] for rule in _alerts()}


def test_the_index_names_every_page_once() -> None:
    listed = re.findall(r"^\| \[[^\]]+\]\(([^)]+)\) \|", text("docs/README.md"), re.MULTILINE)
    pages = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/") and page.count("/") == 1}
    assert sorted({*listed} & pages) == sorted(pages - {"README.md"})
    assert len(listed) == len(set(listed))


def test_the_listing_in_the_readme_is_the_tree() -> None:
    """Every line is there, and of the packages every folder has a line."""
    (listing,) = re.findall(r"^```text\n(.*?)^```", text("README.md"), re.MULTILINE | re.DOTALL)
    top, named = "", set[str]()
    for line in re.findall(r"^(?:  )?\S.*", listing, re.MULTILINE):
        name = line.split()[0]
        top = top if line.startswith(" ") else name
        named.add(name if name == top else top + name)
    assert {name for name in named if not (REPOSITORY / name).exists()} == set()
    folders = {f"{path.split('/')[0]}/{path.split('/')[1]}/" for path in files() if path.count("/") > 1}
    expected = {folder for folder in folders if folder.startswith(("api/", "deploy/", "policy/", "workers/"))}
    assert expected - named == set()


def _cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = re.split(rf"^#+ {heading}$", text(page), flags=re.MULTILINE)[1]
    rows = re.findall(r"^\| (.*) \|$", re.split(r"^#", section, flags=re.MULTILINE)[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows[2:]]


def test_the_api_page_has_the_table_of_addresses_that_the_openapi_document_makes() -> None:
    assert addresses.table() in text("docs/api.md"), "run `python -m tools.addresses` and paste what it prints"


def test_the_api_page_lists_every_problem_code() -> None:
    listed = {row[0].strip("`"): (int(row[1]), row[2]) for row in _cells("docs/api.md", "Problems")}
    assert listed == CATALOGUE


@pytest.mark.parametrize("page", PAGES)
def test_no_table_and_no_list_names_a_thing_twice(page: str) -> None:
    """A table by its first column, by two where that is an HTTP method; a list by its first sentence."""
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    twice = []
    for lines in re.findall(r"(?:^\|.*\n)+", prose, re.MULTILINE):
        rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in lines.splitlines()]
        width = 2 if rows[0][0] == "Method" else 1
        names = [tuple(row[:width]) for row in rows[2:] if row[0]]
        twice += [name for name in names if names.count(name) > 1]
    for listed in re.findall(r"(?:^- .*\n(?: +.*\n)*)+", prose, re.MULTILINE):
        sentences = [item.split(". ")[0] for item in re.findall(r"^- (.*)", listed, re.MULTILINE)]
        twice += [sentence for sentence in sentences if sentences.count(sentence) > 1]
    assert twice == []


def test_every_process_is_scraped_under_its_name_and_shown() -> None:
    """A dashboard that shows "a worker process" by its port alone leaves the reader to look the port up."""
    scraped = {job["job_name"] for job in yaml.safe_load(text("deploy/prometheus/prometheus.yml"))["scrape_configs"]}
    assert scraped == {f"presswork-{process.name}" for process in PROCESSES}
    (panel,) = [panel for panel in json.loads(text(DASHBOARD))["panels"] if panel["title"] == "Processes that answer"]
    assert [target["expr"] for target in panel["targets"]] == ['up{job=~"presswork-.+"}']
    assert all(process.name in panel["description"] for process in PROCESSES)
