"""Chart: rendered by Helm itself for each file of deploy/chart/ci, every object valid by Kubernetes' own schemas."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.repository import REPOSITORY
from workers.settings import Settings

if find_spec("helm_python") is None:
    pytest.skip("helm-python-sdk has no wheel for this platform", allow_module_level=True)
validate = pytest.importorskip("kubernetes_validate")

CHART = REPOSITORY / "deploy" / "chart"
CASES = sorted((CHART / "ci").glob("*.yaml"))
CUSTOM = ("keda.sh/", "monitoring.coreos.com/")  # kinds whose schemas are not Kubernetes' own
LONG_RUNNING = ("Deployment",)


@cache
def helm() -> Any:
    """Helm's library. Its Go runtime has threads, so it is loaded by the process that calls it, never before a fork."""
    return import_module("helm_python.chart")


@cache
def rendered(case: Path) -> list[dict[str, Any]]:
    manifests = (
        helm()
        .Chart.load(str(CHART))
        .render(yaml.safe_load(case.read_text()), name="shop", namespace="images", is_install=True)
    )
    return [one for text in manifests.values() for one in yaml.safe_load_all(text) if one]


def containers(case: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name of the object, its pod, container) of everything that runs."""
    pods = [
        (o["metadata"]["name"], o["spec"]["template"]["spec"])
        for o in rendered(case)
        if "template" in o.get("spec", {})
    ]
    return [(name, pod, container) for name, pod in pods for container in pod["containers"]]


each_case = pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])


def test_there_are_eight_cases() -> None:
    assert len(CASES) >= 8


@each_case
def test_every_object_is_valid_by_the_strict_schema_of_its_kind(case: Path) -> None:
    known = [one for one in rendered(case) if not one["apiVersion"].startswith(CUSTOM)]
    assert len(known) > 10
    for one in known:
        validate.validate(one, "1.37", strict=True)


@each_case
def test_helm_lints_it_without_a_warning(case: Path) -> None:
    report = helm().lint(str(CHART), yaml.safe_load(case.read_text()), strict=True, namespace="images")
    said = [message for message in report["messages"] if message["severity"] >= 2]
    assert (said, report["errors"]) == ([], [])


@each_case
def test_everything_runs_without_root_on_a_read_only_root_and_within_limits(case: Path) -> None:
    for name, pod, container in containers(case):
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert "memory" in container["resources"]["limits"] or name.endswith(("-cpu", "-small", "-default")), name
        assert pod["automountServiceAccountToken"] is False, name


@each_case
def test_only_settings_that_exist_are_set_and_no_secret_is_a_value(case: Path) -> None:
    fields = {f"PRESSWORK_{name.upper()}" for name in Settings.model_fields}
    for name, _, container in containers(case):
        for variable in container["env"]:
            if variable["name"].startswith("PRESSWORK_"):
                assert variable["name"] in fields, name
            if re.search(r"(DATABASE_URL|REDIS_URL|SECRET|ACCESS_KEY_ID)$", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], name


@each_case
def test_the_owner_s_login_is_the_migration_s_and_each_key_its_process_s(case: Path) -> None:
    secrets = {
        name: {v["valueFrom"]["secretKeyRef"]["name"] for v in container["env"] if "valueFrom" in v}
        | {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        for name, pod, container in containers(case)
    }
    assert [name for name, of in secrets.items() if "presswork-db-owner" in of] == ["shop-migrate"]
    assert [name for name, of in secrets.items() if "presswork-ledger" in of] == ["shop-sealer"]
    assert all(name.startswith("shop-worker-") for name, of in secrets.items() if "presswork-signing" in of)


@each_case
def test_every_deployment_has_the_three_probes_and_time_to_give_back(case: Path) -> None:
    for name, pod, container in containers(case):
        if name != "shop-migrate":
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name
            assert container["livenessProbe"]["httpGet"]["path"] in ("/livez", "/healthz"), (
                "a pause is no reason to kill"
            )
            assert pod["terminationGracePeriodSeconds"] >= 60, name


@each_case
def test_every_budget_and_service_selects_pods_of_one_deployment(case: Path) -> None:
    labels = [o["spec"]["template"]["metadata"]["labels"] for o in rendered(case) if o["kind"] in LONG_RUNNING]
    for one in rendered(case):
        if one["kind"] in ("PodDisruptionBudget", "Service"):
            wanted = one["spec"]["selector"].get("matchLabels", one["spec"]["selector"])
            assert sum(wanted.items() <= of.items() for of in labels) == 1, one["metadata"]["name"]


def test_a_planner_plans_the_queues_of_every_pool() -> None:
    ((_, _, planner),) = [c for c in containers(CHART / "ci" / "two-pools.yaml") if c[0] == "shop-planner"]
    assert {"name": "PRESSWORK_QUEUES", "value": "gpu,large,small"} in planner["env"]


def test_a_gpu_pool_asks_for_its_gpu_and_a_cpu_pool_for_none() -> None:
    limits = {name: c["resources"]["limits"] for name, _, c in containers(CHART / "ci" / "two-pools.yaml")}
    assert limits["shop-worker-large"] == {"memory": "64Gi", "nvidia.com/gpu": "1"}
    assert [
        c["resources"]["limits"] for name, _, c in containers(CHART / "ci" / "cpu.yaml") if name.endswith("-cpu")
    ] == [{}]


def test_keda_counts_open_items_in_postgres_and_owns_the_replicas() -> None:
    objects = {(o["kind"], o["metadata"]["name"]): o for o in rendered(CHART / "ci" / "keda.yaml")}
    scaled = objects["ScaledObject", "shop-worker-default"]["spec"]
    assert scaled["triggers"][0]["type"] == "postgresql"
    assert "FROM items" in scaled["triggers"][0]["metadata"]["query"]
    assert scaled["minReplicaCount"] == 0
    assert "replicas" not in objects["Deployment", "shop-worker-default"]["spec"]


def test_the_clerk_alone_may_leave_and_only_to_public_addresses() -> None:
    policies = {
        o["metadata"]["name"]: o["spec"]
        for o in rendered(CHART / "ci" / "defaults.yaml")
        if o["kind"] == "NetworkPolicy"
    }
    assert "egress" not in policies["shop-deny"]
    leaving = [
        name
        for name, spec in policies.items()
        for rule in spec.get("egress", ())
        for to in rule["to"]
        if to.get("ipBlock", {}).get("cidr") in ("0.0.0.0/0", "2000::/3")
    ]
    assert set(leaving) == {"shop-clerk"}
    (block,) = [to["ipBlock"] for to in policies["shop-clerk"]["egress"][0]["to"] if "except" in to["ipBlock"]]
    assert {"10.0.0.0/8", "169.254.0.0/16", "127.0.0.0/8", "192.168.0.0/16"} <= set(block["except"])


def test_traces_reach_the_collector_from_those_who_record_some_and_only_where_one_is_named() -> None:
    def traces(case: str) -> list[dict[str, Any]]:
        objects = rendered(CHART / "ci" / f"{case}.yaml")
        return [o["spec"] for o in objects if (o["kind"], o["metadata"]["name"]) == ("NetworkPolicy", "shop-traces")]

    assert traces("defaults") == []
    (spec,) = traces("monitoring")
    (rule,) = spec["egress"]
    assert rule["ports"] == [{"port": 4318}]
    assert [list(to) for to in rule["to"]] == [["namespaceSelector"]]
    assert spec["podSelector"]["matchExpressions"][0]["values"] == ["api", "clerk", "worker-default"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"database": {"api": {"existingSecret": ""}}}, "existingSecret"),
        ({"workers": []}, "workers"),
        ({"workers": [{"name": "Large Pool", "queues": "gpu"}]}, "name"),
        ({"settings": {"lease_seconds": "30"}}, "lease_seconds"),
        ({"replicas": 3}, "replicas"),
        ({"graceSeconds": 5}, "graceSeconds"),
        ({"images": {"api": {"digest": "latest"}}}, "digest"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(Exception, match=named):
        helm().Chart.load(str(CHART)).validate_schema(helm().Chart.load(str(CHART)).merge_values(wrong))


def test_the_chart_carries_the_alerts_and_the_dashboard_as_they_are() -> None:
    """Its files are links, so that they cannot differ; Helm packs what they point at."""
    objects = {one["kind"]: one for one in rendered(CHART / "ci" / "monitoring.yaml")}
    deploy = REPOSITORY / "deploy"
    assert objects["PrometheusRule"]["spec"] == yaml.safe_load((deploy / "prometheus" / "alerts.yml").read_text())
    assert objects["ConfigMap"]["data"]["presswork.json"] == (deploy / "grafana" / "presswork.json").read_text()
