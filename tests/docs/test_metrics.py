"""The table of metrics, the alerts and the dashboard name what the program exposes; alerts name sections that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from app.cli.status import Section
from app.settings import Settings
from tests.docs.generate import METRICS, regenerated
from tests.docs.markers import ROOT
from tests.docs.metrics_table import declared, sample_names
from tests.docs.test_docs_references import sections, slug
from tests.support.web import running

ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/chat.json").read_text(encoding="utf-8"))
NAME = re.compile(r"\bchat_\w+")
LABELS = re.compile(r"(\bchat_\w+)\{([^}]*)\}")


def expressions() -> Iterator[str]:
    for alert in ALERTS:
        yield alert["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_the_table_is_that_of_the_program() -> None:
    assert METRICS.read_text(encoding="utf-8") == regenerated(METRICS), "make documents"


async def test_a_running_chat_exposes_the_metrics_of_the_table_and_no_others(settings: Settings) -> None:
    async with running(settings) as api:
        text = (await api.get("/metrics")).text
    exposed = set(re.findall(r"^# TYPE (chat_\w+) ", text, re.MULTILINE))
    named = {family.name + ("_total" if family.type == "counter" else "") for family, _ in declared()}
    assert {name for name in exposed if not name.endswith("_created")} == named


def test_every_metric_of_the_chat_has_a_panel() -> None:
    shown = {
        name for panel in DASHBOARD["panels"] for target in panel["targets"] for name in NAME.findall(target["expr"])
    }
    bare = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown}
    assert {family.name for family, _ in declared()} - bare == set()


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_names_exposed_metrics_and_their_labels(expression: str) -> None:
    assert set(NAME.findall(expression)) <= sample_names()
    labels = {family.name: set(names) for family, names in declared()}
    for name, matchers in LABELS.findall(expression):
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert used <= labels[re.sub(r"_(bucket|sum|count|total)$", "", name)] | {"le"}
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_leads_to_its_sections(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    for annotation, page in (("runbook", "docs/runbook.md"), ("operations", "docs/operations.md")):
        file, _, section = alert["annotations"][annotation].partition("#")
        assert file == page
        assert section in sections(ROOT / page)


def test_every_section_of_the_runbook_has_the_three_parts() -> None:
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    commands, *found = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert commands.startswith("Commands\n")
    assert len(found) >= 10
    for section in found:
        assert re.findall(r"^\*\*([^*]+)\.\*\*", section, re.MULTILINE) == ["What you see", "What it means", "The cure"]


def test_a_failed_check_of_the_status_leads_to_a_section_that_quotes_it() -> None:
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    by_anchor = {slug(part.partition("\n")[0]): part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}
    for section in Section:
        assert "`chat status`" in by_anchor[section].partition("**What it means.**")[0], section
    led_to = {alert["annotations"]["runbook"].partition("#")[2] for alert in ALERTS} | set(Section)
    assert by_anchor.keys() - led_to == {"commands"}


def test_each_severity_of_an_alert_is_routed() -> None:
    routes = yaml.safe_load((ROOT / "deploy/prometheus/alertmanager.yml").read_text(encoding="utf-8"))
    routed = [
        re.findall(r'severity="(\w+)"', matcher) for one in routes["route"]["routes"] for matcher in one["matchers"]
    ]
    assert {severity for found in routed for severity in found} == {alert["labels"]["severity"] for alert in ALERTS}
    receivers = {one["name"] for one in routes["receivers"]}
    assert {routes["route"]["receiver"], *(one["receiver"] for one in routes["route"]["routes"])} <= receivers


def test_prometheus_loads_the_alerts_and_scrapes_the_job_that_they_name() -> None:
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert configuration["rule_files"] == ["alerts.yml"]
    (job,) = configuration["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("chat", "/metrics")
    assert {found for expression in expressions() for found in re.findall(r'job="(\w+)"', expression)} == {"chat"}
