"""Everything that is measured of a canary is judged: what has no row in the table of signals would be kept unread."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plimsoll_operator.cli.explanation.missing import NEEDED as SHOWN_AS_NEEDED
from plimsoll_operator.cli.explanation.wording import NAMES
from plimsoll_operator.rollout.evidence import JUDGED, AnalysisSettings, Counts, Evidence, Interval, SeriesKey, judge
from plimsoll_operator.rollout.evidence.judged import NEEDED
from plimsoll_operator.rollout.measuring import pod_record
from plimsoll_operator.rollout.measuring.signals import SIGNALS

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = AnalysisSettings()
MEASURED = {*(signal.name for signal in SIGNALS), pod_record.KILLS.signal, pod_record.RESTARTS.signal}


def test_what_is_measured_is_what_is_judged_and_has_a_name_in_explain() -> None:
    assert MEASURED == set(JUDGED) == set(NAMES)
    assert set(SHOWN_AS_NEEDED) == set(NEEDED)


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_a_canary_that_is_bad_in_a_signal_is_taken_back_for_it(name: str) -> None:
    evidence = Evidence.fresh("canary", START)
    for number in range(10):
        bad = {SeriesKey(name): {"short": Counts(50, 450, 50, 0)}}
        start = START + number * SETTINGS.interval
        evidence = evidence.updated(Interval(start, start + SETTINGS.interval, bad), SETTINGS)
    verdict = judge(evidence, SETTINGS)
    assert (verdict.decision, verdict.signal, verdict.reason) == ("Rollback", name, JUDGED[name].reason)
