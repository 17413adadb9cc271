"""What kopf is told: to watch, and to write nothing."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import kopf
import pytest
from kopf._cogs.structs.bodies import Body, RawBody, RawEvent
from kopf._cogs.structs.patches import Patch
from kopf._cogs.structs.references import Resource
from kopf._core.actions.loggers import ObjectLogger
from kopf._core.engines.indexing import OperatorIndexers
from kopf._core.reactor import processing
from kopf._core.reactor.inventory import ResourceMemories

from plimsoll_operator.cluster.access import Access, Credentials
from plimsoll_operator.cluster.kinds import DEPLOYMENT, INFERENCE_DEPLOYMENT, POD, Kind
from plimsoll_operator.cluster.observe import Key
from plimsoll_operator.handlers import EndlessBackoff, LogIn, connection_info, watch_registry, watch_settings
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


def test_kopf_posts_no_events_and_discovers_nothing() -> None:
    settings = watch_settings(timedelta(seconds=30))
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone


def test_the_finalizer_that_kopf_removes_is_one_that_no_object_can_bear() -> None:
    qualified = re.compile(r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
    assert not qualified.fullmatch(watch_settings(timedelta(seconds=30)).persistence.finalizer)


@pytest.mark.parametrize("kind", [INFERENCE_DEPLOYMENT, DEPLOYMENT, POD], ids=lambda kind: kind.plural)
@pytest.mark.parametrize(
    "finalizer", ["plimsoll.dev/never-used", "plimsoll.dev/x", "kopf.zalando.org/KopfFinalizerMarker"]
)
async def test_kopf_takes_no_finalizer_away(kind: Kind, finalizer: str) -> None:
    """What kopf makes of one event, as its worker does: the only part of it that could write."""
    enqueued: list[Key] = []
    registry = watch_registry(enqueued.append, Access("unused"))
    metadata = {
        "name": "domains",
        "namespace": "guardrails",
        "uid": "1",
        "resourceVersion": "1",
        "labels": {"plimsoll.dev/name": "domains"},
        "finalizers": [finalizer],
    }
    found = cast("RawBody", {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata})
    event: RawEvent = {"type": "ADDED", "object": found}
    body, told = Body(found), watch_settings(timedelta(seconds=30))
    patch = Patch({}, body=body)
    logger = ObjectLogger(body=body, settings=told)
    await processing.process_resource_causes(
        lifecycle=kopf.lifecycles.all_at_once,
        indexers=OperatorIndexers(),
        registry=registry,
        settings=told,
        resource=Resource(kind.group, kind.version, kind.plural, kind=kind.kind, verbs=frozenset({"patch"})),
        raw_event=event,
        body=body,
        patch=patch,
        memory=await ResourceMemories().recall(found),
        local_logger=logger,
        event_logger=logger,
        stream_pressure=None,
        operator_paused=None,
        consistency_time=None,
    )
    assert patch.as_json_patch(found) == []
    assert enqueued == [Key("guardrails", "domains")]


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


def test_each_attempt_after_a_failed_one_tells_of_a_gap_and_the_first_does_not() -> None:
    """A child that is deleted while its watch is away is in no event after it: somebody has to look."""
    told: list[str] = []
    delays = iter(EndlessBackoff(failed=lambda: told.append("gap")))
    next(delays)
    assert told == []
    next(delays)
    next(delays)
    assert told == ["gap", "gap"]
