"""What kopf is told: to watch, and to write nothing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plimsoll_operator.cluster.access import Access, Credentials
from plimsoll_operator.handlers import EndlessBackoff, LogIn, connection_info, watch_settings
from scripted_apiserver import ScriptedApiserver

WHEN = datetime(2026, 5, 4, tzinfo=UTC)


def test_the_back_off_has_no_end_and_starts_anew_for_every_request() -> None:
    delays = EndlessBackoff(base=1, cap=30)
    for _ in range(2):
        taken = list(itertools.islice(delays, 100))
        assert 0.5 <= taken[0] <= 1
        assert all(15 <= delay <= 30 for delay in taken[5:])


def test_only_labelled_children_are_watched_and_every_object_of_our_kind() -> None:
    selectors = watch_settings(timedelta(seconds=30)).watching.label_selectors
    assert {selector.any_name for selector in selectors} == {
        "deployments",
        "controllerrevisions",
        "services",
        "serviceaccounts",
        "horizontalpodautoscalers",
        "poddisruptionbudgets",
        "networkpolicies",
        "pods",
    }
    assert set(selectors.values()) == {"plimsoll.dev/name"}


def test_kopf_posts_no_events_discovers_nothing_and_owns_no_finalizer_of_others() -> None:
    settings = watch_settings(timedelta(seconds=30))
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert settings.persistence.finalizer.startswith("plimsoll.dev/")


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [("Bearer t0k", ("Bearer", "t0k")), ("bearer t0k\n", ("bearer", "t0k")), ("Basic dTpw", ("Basic", "dTpw"))],
)
def test_kopf_takes_the_same_way_in(authorization: str, expected: tuple[str, str]) -> None:
    info = connection_info(Credentials("https://x", "/ca", None, None, authorization, True, "http://proxy"), WHEN)
    assert (info.scheme, info.token) == expected
    assert (info.server, info.ca_path, info.insecure, info.proxy_url) == ("https://x", "/ca", False, "http://proxy")


def test_a_client_certificate_needs_no_token() -> None:
    info = connection_info(Credentials("https://x", "/ca", "/cert", "/key", None, True, None), WHEN)
    assert (info.scheme, info.token, info.certificate_path, info.private_key_path) == (None, None, "/cert", "/key")


async def test_credentials_that_were_refused_are_given_out_again_but_not_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    ScriptedApiserver(url="https://127.0.0.1:9").write_kubeconfig(tmp_path / "kubeconfig")
    log_in = LogIn(Access(str(tmp_path / "kubeconfig")), lambda: now, pause)
    await log_in()
    assert paused == []
    await log_in()
    await log_in()
    assert 0.5 <= paused[0] <= 1 <= paused[1] <= 2
    assert "the apiserver refused the credentials" in caplog.text
    now += 120
    await log_in()
    assert len(paused) == 2
