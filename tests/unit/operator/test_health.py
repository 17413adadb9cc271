"""/healthz tells of the work: the resync turns, and the apiserver answers."""

from __future__ import annotations

import http.client
import socket
from datetime import timedelta
from http import HTTPStatus

import pytest

from free_ports import free_port
from plimsoll_operator.health import Heartbeat
from plimsoll_operator.listener import Answer, CannotListenError, listening


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heartbeat(clock: Clock) -> Heartbeat:
    return Heartbeat(timedelta(seconds=60), clock)


def test_a_process_that_has_just_started_is_healthy(heartbeat: Heartbeat) -> None:
    assert heartbeat.page() == Answer(HTTPStatus.OK, "text/plain; charset=utf-8", b"ok\n")


@pytest.mark.parametrize(
    ("turned_ago", "listed_ago", "complaint"),
    [
        (10, 10, ""),
        (180, 180, ""),
        (181, 10, "the resync last turned 181 s ago"),
        (10, 200, "the apiserver last listed the InferenceDeployments 200 s ago"),
    ],
    ids=["fresh", "just within three periods", "resync stuck", "apiserver silent"],
)
def test_three_periods_without_a_sign_of_life_are_too_many_of_one_that_leads(
    heartbeat: Heartbeat, clock: Clock, turned_ago: int, listed_ago: int, complaint: str
) -> None:
    now = clock.now + 1000
    heartbeat.leads()
    clock.now = now - turned_ago
    heartbeat.turned()
    clock.now = now - listed_ago
    heartbeat.listed()
    clock.now = now
    assert heartbeat.complaint().startswith(complaint)
    expected = HTTPStatus.SERVICE_UNAVAILABLE if complaint else HTTPStatus.OK
    assert heartbeat.page().status == expected


def test_one_that_stands_by_is_well_while_it_gets_answers(heartbeat: Heartbeat, clock: Clock) -> None:
    clock.now += 170
    heartbeat.answered()
    clock.now += 170
    assert heartbeat.complaint() == ""
    clock.now += 11
    assert heartbeat.complaint().startswith("standing by: the apiserver last answered 181 s ago")


def test_one_that_begins_to_lead_has_time_for_its_first_round(heartbeat: Heartbeat, clock: Clock) -> None:
    clock.now += 1000
    heartbeat.leads()
    assert heartbeat.complaint() == ""
    clock.now += 181
    assert heartbeat.complaint().startswith("the resync last turned")


def fetch(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_listener_answers_its_pages_on_the_address_it_was_given(heartbeat: Heartbeat, address: str) -> None:
    port = free_port()
    with listening(address, port, "PLIMSOLL_HEALTH_PORT", {"/healthz": heartbeat.page}):
        assert fetch(address, port, "/healthz") == (200, "ok\n")
        assert fetch(address, port, "/healthz?verbose=1") == (200, "ok\n")
        assert fetch(address, port, "/")[0] == 404


def test_a_probe_gets_its_answer_while_another_client_says_nothing(heartbeat: Heartbeat) -> None:
    port = free_port()
    with (
        listening("127.0.0.1", port, "PLIMSOLL_HEALTH_PORT", {"/healthz": heartbeat.page}),
        socket.create_connection(("127.0.0.1", port)),
    ):
        assert fetch("127.0.0.1", port, "/healthz") == (200, "ok\n")


def test_a_port_in_use_is_told_with_the_variable_that_chooses_another() -> None:
    port = free_port()
    with (
        listening("127.0.0.1", port, "PLIMSOLL_HEALTH_PORT", {}),
        pytest.raises(CannotListenError, match=rf"port {port} \(Address already in use\): set PLIMSOLL_METRICS_PORT"),
        listening("127.0.0.1", port, "PLIMSOLL_METRICS_PORT", {}),
    ):
        raise AssertionError("listened on a port in use")
