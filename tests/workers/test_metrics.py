"""Metrics as a scrape sees them: parsed by Prometheus' own parsers, every family with its type and help."""

from __future__ import annotations

from urllib.request import urlopen

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from deploy.embedded.ports import pick
from workers import metrics


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
