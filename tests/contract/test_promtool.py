"""Contract: Prometheus' own promtool accepts our metrics, scrape configuration and alerts, and each alert fires.

promtool comes with Debian's package prometheus. What needs no promtool is in tests/workers/test_metrics.py.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from tests.support.repository import REPOSITORY
from workers import metrics

pytestmark = pytest.mark.processes

ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yml"
CASES = Path(__file__).with_name("alerts_test.yml")


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here: apt-get install prometheus")
    return found


def _accepts(promtool: str, *arguments: str | Path, text: str | None = None) -> str:
    """What promtool prints when it accepts; its complaint fails the test."""
    ran = subprocess.run([promtool, *map(str, arguments)], input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_promtool_finds_nothing_wrong_with_names_types_and_help_of_our_metrics(promtool: str) -> None:
    assert metrics.HTTP_REQUESTS  # imported: declared in the registry
    assert _accepts(promtool, "check", "metrics", text=generate_latest().decode()) == ""


def test_promtool_accepts_the_scrape_configuration_and_the_alerts(promtool: str) -> None:
    said = _accepts(promtool, "check", "config", ALERTS.with_name("prometheus.yml"))
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert f"{len(rules)} rules found" in said


def test_every_alert_fires_on_its_fault_and_is_silent_without_it(promtool: str) -> None:
    assert "SUCCESS" in _accepts(promtool, "test", "rules", CASES)


def test_a_wrong_expectation_is_found(promtool: str, tmp_path: Path) -> None:
    wrong = CASES.read_text().replace("../../deploy/prometheus/alerts.yml", str(ALERTS)).replace("0x10'", "1x10'")
    (tmp_path / "wrong.yml").write_text(wrong)
    ran = subprocess.run([promtool, "test", "rules", tmp_path / "wrong.yml"], capture_output=True, check=False)
    assert ran.returncode != 0


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    rules = {rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
    cases = [case["alert_rule_test"][0] for case in yaml.safe_load(CASES.read_text())["tests"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == rules
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == rules
