"""Everything that is measured of a canary is judged: what has no row in the table of signals would be kept unread."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from in_words import IN_WORDS
from plimsoll_operator.cli.explanation.missing import NEEDED as SHOWN_AS_NEEDED
from plimsoll_operator.cli.explanation.wording import NAMES
from plimsoll_operator.rollout.evidence import JUDGED, AnalysisSettings, Counts, Evidence, Interval, SeriesKey, judge
from plimsoll_operator.rollout.evidence.judged import NEEDED
from plimsoll_operator.rollout.measuring import pod_record
from plimsoll_operator.rollout.measuring.signals import SIGNALS
from strata import SHORT

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = AnalysisSettings()
DOCS = Path(__file__).resolve().parents[2] / "docs"
QUERIES = len(SIGNALS) + 1
"""One more is for when each pod was scraped."""
MEASURED = {*(signal.name for signal in SIGNALS), pod_record.KILLS.signal, pod_record.RESTARTS.signal}


def test_what_is_measured_is_what_is_judged_and_has_a_name_in_explain() -> None:
    assert MEASURED == set(JUDGED) == set(NAMES)
    assert set(SHOWN_AS_NEEDED) == set(NEEDED)


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_a_canary_that_is_bad_in_a_signal_is_taken_back_for_it(name: str) -> None:
    evidence = Evidence.fresh("canary", START)
    for number in range(10):
        bad = {SeriesKey(name): {SHORT: Counts(50, 450, 50, 0)}}
        start = START + number * SETTINGS.interval
        evidence = evidence.updated(Interval(start, start + SETTINGS.interval, bad), SETTINGS)
    verdict = judge(evidence, SETTINGS)
    assert (verdict.decision, verdict.signal, verdict.reason) == ("Rollback", name, JUDGED[name].reason)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("rollout-evidence.md", f"Each of the {IN_WORDS[len(JUDGED)]} signals "),
        ("rollout-evidence.md", f"with 1 % the threshold is **{len(JUDGED) * 100}**"),
        ("operator.md", f"{IN_WORDS[QUERIES]} queries per canary and interval, {6 * QUERIES} per minute"),
    ],
)
def test_the_documentation_counts_them_right(page: str, said: str) -> None:
    assert said in (DOCS / page).read_text(encoding="utf-8")
