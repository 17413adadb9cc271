"""The alerts: each fires when it must, stays silent when it must not, and leads to a section of the runbook."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from alarms import ALARMS, Alarm
from helm_chart import CHART_MODES, Chart
from plimsoll_operator.requests import VERBS
from plimsoll_operator.rollout.evidence import Data
from plimsoll_sandbox.toolchain import Tools
from promtool import objections, played, rules_of

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "charts" / "plimsoll" / "files" / "alerts.yaml"
RUNBOOK = ROOT / "docs" / "runbook.md"
ALERTS = {rule["alert"]: rule for rule in rules_of(RULES)}
COMMANDS = ("status", "explain", *VERBS)

each_alert = pytest.mark.parametrize("name", ALERTS)


def test_promtool_takes_the_file_as_it_is(tools: Tools) -> None:
    assert objections(tools.promtool, "check", "rules", "--lint-fatal", str(RULES)) == ""


@pytest.mark.parametrize("alarm", ALARMS, ids=[f"{alarm.alert} - {alarm.case}" for alarm in ALARMS])
def test_an_alert_tells_what_it_must_and_no_more(tools: Tools, tmp_path: Path, alarm: Alarm) -> None:
    assert _differs(tools, tmp_path, alarm) == ""


def test_an_alert_that_comes_too_early_or_too_late_would_be_found(tools: Tools, tmp_path: Path) -> None:
    alarm = next(alarm for alarm in ALARMS if alarm.summary)
    assert "got:[" in _differs(tools, tmp_path, replace(alarm, minute=alarm.minute - 1))
    assert "got:[" in _differs(tools, tmp_path, replace(alarm, minute=alarm.minute + 1))


def _differs(tools: Tools, folder: Path, alarm: Alarm) -> str:
    rule = ALERTS[alarm.alert]
    only_summary = {**rule, "annotations": {"summary": rule["annotations"]["summary"]}}
    told = {"exp_labels": {**alarm.labels, **rule["labels"]}, "exp_annotations": {"summary": alarm.summary}}
    expected = [_at(alarm, alarm.minute, [told]), _at(alarm, alarm.minute - 1, [])]
    silent = [_at(alarm, minute, []) for minute in range(alarm.minute + 1)]
    return played(tools.promtool, folder, [only_summary], alarm.series, expected if alarm.summary else silent)


def _at(alarm: Alarm, minute: int, told: list[dict[str, Any]]) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": alarm.alert, "exp_alerts": told}


@each_alert
def test_each_alert_is_played_both_ways(name: str) -> None:
    assert {bool(alarm.summary) for alarm in ALARMS if alarm.alert == name} == {True, False}


@each_alert
def test_an_alert_says_how_bad_it_is_what_happened_and_what_to_do_first(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "First: kubectl " in rule["annotations"]["description"]


@each_alert
def test_an_alerts_words_use_labels_that_it_has(name: str) -> None:
    text = " ".join(ALERTS[name]["annotations"].values())
    [labels] = {frozenset(alarm.labels) for alarm in ALARMS if alarm.alert == name and alarm.summary}
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels


@each_alert
def test_every_command_in_an_alerts_words_can_be_copied(name: str) -> None:
    """With the object that it is of, or NAME and NAMESPACE where the alert does not know which."""
    known = "{{ $labels.inference_deployment }} -n {{ $labels.inference_namespace }}"
    told = ALERTS[name]["annotations"]["description"].replace(known, "NAME -n NAMESPACE")
    assert re.findall(rf"kubectl plimsoll (?!(?:{'|'.join(COMMANDS)}) NAME -n NAMESPACE\b)[^.,:]*", told) == []


def test_every_command_in_the_runbook_names_the_namespace() -> None:
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", RUNBOOK.read_text("utf-8"))]
    commands = [span for span in spans if span.startswith("kubectl plimsoll") or re.search(r"\bNAME\b", span)]
    told = [command for command in commands if command != "NAME"]
    assert len(told) > 25
    form = re.compile(rf"kubectl (?:plimsoll (?:{'|'.join(COMMANDS)})|get infd) NAME -n NAMESPACE( -o .*| REVISION)?")
    assert [command for command in told if not form.fullmatch(command)] == []


@each_alert
def test_an_alert_leads_to_its_section_of_the_runbook(name: str) -> None:
    page, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == name.lower()
    assert anchor in anchors(RUNBOOK)


def test_the_runbook_has_no_section_for_an_alert_that_there_is_not() -> None:
    assert {anchor for anchor in anchors(RUNBOOK) if anchor.startswith("plimsoll")} == {name.lower() for name in ALERTS}


@each_alert
def test_a_section_of_the_runbook_says_what_it_means_whom_it_hurts_where_to_look_and_what_to_do(name: str) -> None:
    section = re.split(rf"^## {name}$", RUNBOOK.read_text("utf-8"), flags=re.MULTILINE)[1].partition("\n## ")[0]
    told = re.findall(r"^\*\*(.+?)\.\*\*", section, flags=re.MULTILINE)
    assert told == ["Means", "Hurts", "Look first", "Do"]


def test_the_readme_says_how_many_there_are() -> None:
    assert f"a PrometheusRule of {len(ALERTS)} alerts," in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_want_of_numbers_is_an_alert() -> None:
    reasons = re.findall(r'reason=~"([^"]+)"', ALERTS["PlimsollCanaryUnmeasured"]["expr"])
    assert {reason for found in reasons for reason in found.split("|")} == set(get_args(Data)) - {
        "Measured",
        "NoTraffic",
    }


def test_what_the_chart_makes_is_that_file_with_the_runbooks_address(chart: Chart) -> None:
    rule = chart.render(CHART_MODES["full"]).one("PrometheusRule")
    assert rule["metadata"]["namespace"] == "monitoring"
    assert rule["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    text = RULES.read_text("utf-8").replace("docs/runbook.md", CHART_MODES["full"]["alerts"]["runbookUrl"])
    assert rule["spec"] == yaml.safe_load(text)


def anchors(page: Path) -> set[str]:
    """What a link to a heading of it may name, as GitHub and most renderers have it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
