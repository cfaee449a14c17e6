"""Metrics as a scrape sees them: parsed by Prometheus' own parsers, every family with its type and help."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

import policy.errors
import workers.errors
from deploy.embedded.ports import pick
from policy.identify.answer import IdentificationFinding
from tests.support.repository import REPOSITORY, text
from tests.workers.jobs.fleet.test_faults import CASES as FAULTS
from workers import metrics
from workers.clerk.loop import DELIVERIES, DUTIES, MESSAGES
from workers.gpu.standing import UNEXPECTED_ERRORS
from workers.jobs.fleet.faults import Fault


def _declared() -> dict[str, tuple[str, str]]:
    """Family -> its type and help, of every metric in workers/metrics.py."""
    families = [
        family
        for collector in vars(metrics).values()
        if isinstance(collector, MetricWrapperBase)
        for family in collector.describe()
    ]
    return {family.name: (family.type, family.documentation) for family in families}


def test_prometheus_reads_every_metric_with_its_type_and_help_from_what_a_process_serves() -> None:
    port = pick({"metrics": ()})["metrics"]
    metrics.serve(port)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        served = {family.name: (family.type, family.documentation) for family in parse(answer.read().decode())}
    assert _declared().items() <= served.items()


def test_the_openmetrics_parser_reads_them_as_well() -> None:
    read = {family.name: family.type for family in parse_openmetrics(generate_openmetrics(REGISTRY).decode())}
    assert {name: kind for name, (kind, _) in _declared().items()}.items() <= read.items()


def test_no_family_is_exposed_twice() -> None:
    names = [family.name for family in parse(generate_latest().decode())]
    assert len(names) == len(set(names))


def test_help_is_a_sentence() -> None:
    texts = [text for _, text in _declared().values()]
    assert [text for text in texts if not (text[0].isupper() and text.endswith("."))] == []
    assert len(set(texts)) == len(texts)


@pytest.fixture(scope="module")
def series() -> dict[str, list[dict[str, str]]]:
    """Sample name -> the labels of each of its series, in a process that has done nothing yet."""
    program = (
        "import sys, prometheus_client; from workers import metrics; "
        "metrics.start_at_zero(['gpu'], [('/v1/requests', 'GET')]); "
        "sys.stdout.write(prometheus_client.generate_latest().decode())"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, list[dict[str, str]]] = {}
    for family in parse(ran.stdout):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


SET_BY_THEIR_PROCESS = {  # label values differ by installation; the process that owns them sets them in its first turn
    *("presswork_pending_items", "presswork_oldest_pending_seconds", "presswork_open_batches"),
    "presswork_anchor_failures_total",
}
_SELECTOR = re.compile(r"\b(presswork_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")


def _selectors() -> list[tuple[str, str]]:
    """Every metric with its matchers that an alert or a panel names."""
    panels = json.loads(text("deploy/grafana/presswork.json"))["panels"]
    rules = [
        rule for group in yaml.safe_load(text("deploy/prometheus/alerts.yml"))["groups"] for rule in group["rules"]
    ]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])] + [
        rule["expr"] for rule in rules
    ]
    return sorted({(name, matchers) for expression in asked for name, matchers in _SELECTOR.findall(expression)})


def _fits(labels: dict[str, str], matchers: str) -> bool:
    compare = {
        "=": lambda has, wanted: has == wanted,
        "!=": lambda has, wanted: has != wanted,
        "=~": lambda has, wanted: re.fullmatch(wanted, has) is not None,
        "!~": lambda has, wanted: re.fullmatch(wanted, has) is None,
    }
    return all(compare[how](labels.get(name, ""), value) for name, how, value in _MATCHER.findall(matchers))


@pytest.mark.parametrize(("name", "matchers"), _selectors())
def test_what_alerts_and_panels_select_has_a_series_from_the_start(series, name: str, matchers: str) -> None:
    """The first signing failure raised no alert: its series began at 1, and `increase` saw no step."""
    if name not in SET_BY_THEIR_PROCESS:
        assert [labels for labels in series.get(name, []) if _fits(labels, matchers)], f"{name}{{{matchers}}}"


def test_what_its_own_process_sets_is_asked_for_at_all() -> None:
    assert {name for name, _ in _selectors()} >= SET_BY_THEIR_PROCESS


def test_known_values_are_those_the_code_counts() -> None:
    """A renamed error or duty would start a series of its own beside one that stays at 0."""
    known = {metric: set(values[0]) for metric, values in metrics._KNOWN.items()}
    assert known[metrics.CLERK_ACTS] == {*DUTIES, *MESSAGES, *DELIVERIES}
    assert known[metrics.IDENTIFICATIONS] == {*IdentificationFinding, "failed"}
    assert known[metrics.MARK_FAILURES] <= {*vars(policy.errors), *vars(workers.errors)}
    reasons = {reason for _, fault, reason in FAULTS if fault is not Fault.ITEM}
    assert known[metrics.BATCHES_RETURNED] == {*reasons, "unexpected", UNEXPECTED_ERRORS}
