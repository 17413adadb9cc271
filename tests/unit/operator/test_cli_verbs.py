"""The verbs of `kubectl plimsoll` that ask for something, run as commands against an apiserver that answers as told."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plimsoll_operator.cli.main import main
from plimsoll_operator.cluster import kinds
from plimsoll_operator.names import ANNOTATION_REQUEST, LABEL_REVISION
from scripted_apiserver import ScriptedApiserver, ok, refusal, scripted_apiserver

OBJECT = kinds.INFERENCE_DEPLOYMENT.path("guardrails", "domains")
OBJECTS = kinds.INFERENCE_DEPLOYMENT.path("guardrails")
PODS = kinds.POD.path("guardrails")

STABLE, CANARY = "aaaa111111", "bbbb222222"


Run = Callable[..., Awaitable["Said"]]


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def found(request: str = "", outcome: str = "", revision: str = "", **status: Any) -> Any:
    """The object with a canary, and what was answered to `request`."""
    verb, _, request_id = request.partition("#")
    answer = {"id": request_id, "verb": verb, "outcome": outcome, "message": "why", "revision": revision}
    metadata = {"name": "domains", "namespace": "guardrails", "generation": 1}
    rollout = {"phase": "Analysing", "stable": STABLE, "canary": CANARY, "message": "step 1 of 3"}
    return {
        "metadata": {**metadata, "annotations": {ANNOTATION_REQUEST: request}},
        "spec": {"model": {"uri": "pvc://models/domains"}, "gpu": {"profile": "nvidia-l4"}},
        "status": {
            "observedGeneration": 1,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Serving", "message": "it serves"},
                {"type": "Stalled", "status": "False", "reason": "NotStalled", "message": ""},
            ],
            "rollout": {**rollout, "lastRequest": answer} if outcome else rollout,
            "revisions": [
                {"hash": CANARY, "number": 2, "askedFor": True, "promoted": False, "createdAt": "2026-05-04T03:00:00Z"},
                {"hash": STABLE, "number": 1, "stable": True, "promoted": True, "createdAt": "2026-05-04T03:00:00Z"},
                {"hash": "cccc333333", "number": 0, "promoted": True, "createdAt": "2026-05-04T03:00:00Z"},
            ],
            **status,
        },
    }


@pytest.fixture
async def apiserver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as its program runs it, within this one: the apiserver answers meanwhile."""

    async def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["kubectl-plimsoll", *words])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return run


def asked_of(apiserver: ScriptedApiserver) -> str:
    [patch] = [request for request in apiserver.requests if request.method == "PATCH"]
    return str(patch.body["metadata"]["annotations"][ANNOTATION_REQUEST])


VERBS = [
    pytest.param(["promote"], f"promote@{CANARY}#7", id="promote"),
    pytest.param(["abort"], f"abort@{CANARY}#7", id="abort"),
    pytest.param(["retry"], f"retry@{CANARY}#7", id="retry"),
    pytest.param(["restart"], "restart#7", id="restart"),
    pytest.param(["rollback"], "rollback#7", id="rollback to the one before"),
    pytest.param(["rollback", "cccc"], "rollback@cccc333333#7", id="rollback to a named one"),
    pytest.param(["pause"], "pause#7", id="pause"),
    pytest.param(["resume"], "resume#7", id="resume"),
]


@pytest.mark.parametrize(("words", "request_text"), VERBS)
async def test_each_verb_asks_for_what_it_is_called_and_names_the_revision_it_means(
    run: Run, apiserver: ScriptedApiserver, words: list[str], request_text: str
) -> None:
    apiserver.answer(f"GET {OBJECT}", ok(found()), ok(found(request_text, "Accepted", CANARY)))
    verb, *rest = words
    said = await run(verb, "domains", *rest, "-n", "guardrails", "--id", "7")
    assert (said.code, said.err) == (0, "")
    assert asked_of(apiserver) == request_text
    assert said.out.splitlines() == [
        f"guardrails/domains: {verb} asked for, request 7",
        f"guardrails/domains: accepted (revision {CANARY}): why; now Analysing: step 1 of 3",
    ]


CODES = [
    pytest.param("Refused", 1, "Refused: why", id="a refusal"),
    pytest.param("Outdated", 1, "Outdated: why", id="too late"),
    pytest.param("Waiting", 3, "the request stays", id="not now"),
]


@pytest.mark.parametrize(("outcome", "code", "words"), CODES)
async def test_a_script_learns_from_the_exit_code_and_the_document_what_became_of_it(
    run: Run, apiserver: ScriptedApiserver, outcome: str, code: int, words: str
) -> None:
    apiserver.answer(f"GET {OBJECT}", ok(found()), ok(found(f"promote@{CANARY}#7", outcome)))
    said = await run("promote", "domains", "-n", "guardrails", "--id", "7", "-o", "json")
    assert said.code == code
    assert words in said.err
    assert (said.document["outcome"], said.document["done"]) == (outcome, False)
    assert (said.document["object"], said.document["request"]) == ("guardrails/domains", "7")


async def test_with_wait_it_ends_when_the_canary_has_ended(run: Run, apiserver: ScriptedApiserver) -> None:
    request = f"abort@{CANARY}#7"
    running = [{"hash": CANARY, "replicas": 1, "readyReplicas": 1}]
    apiserver.answer(
        f"GET {OBJECT}",
        ok(found()),
        ok(found(request, "Accepted", CANARY, revisions=running)),
        ok(found(request, "Accepted", CANARY, revisions=running)),
        ok(found(request, "Accepted", CANARY, revisions=[{"hash": CANARY, "replicas": 0, "readyReplicas": 0}])),
    )
    said = await run("abort", "domains", "-n", "guardrails", "--id", "7", "--wait", "-o", "json")
    assert (said.code, said.document["done"]) == (0, True)
    assert f"revision {CANARY} has ended" in said.err


FAILS = [
    pytest.param(("PATCH", refusal(403, "Forbidden", "may not patch")), "may not patch", id="a right is missing"),
    pytest.param(("GET", ok(found("pause#8"))), "request 7 was overtaken", id="overtaken by another"),
    pytest.param(("GET", ok(found(f"promote@{CANARY}#7", "Refused"))), "Refused: why", id="refused"),
]


@pytest.mark.parametrize(("answer", "words"), FAILS)
async def test_a_script_finds_in_the_document_what_the_command_failed_for(
    run: Run, apiserver: ScriptedApiserver, answer: tuple[str, Any], words: str
) -> None:
    method, then = answer
    apiserver.answer(f"GET {OBJECT}", ok(found()), *([then] if method == "GET" else []))
    if method == "PATCH":
        apiserver.answer(f"PATCH {OBJECT}", then)
    said = await run("promote", "domains", "-n", "guardrails", "--id", "7", "-o", "json")
    assert said.code == 1
    assert words in said.document["error"]
    assert said.err.endswith(f"error: {said.document['error']}\n")
    assert said.document["done"] is False


async def test_what_was_carried_out_before_is_waited_for_by_the_revision_that_it_was_asked_for(
    run: Run, apiserver: ScriptedApiserver
) -> None:
    """An older operator's ledger answers without one."""
    request = f"promote@{CANARY}#7"
    serving = found(request, "Accepted")
    serving["status"]["rollout"] |= {"stable": CANARY, "canary": ""}
    apiserver.answer(f"GET {OBJECT}", ok(found()), ok(serving))
    said = await run("promote", "domains", "-n", "guardrails", "--id", "7", "--wait")
    assert (said.code, said.err) == (0, "")
    assert f"revision {CANARY} serves" in said.out


async def test_an_answer_of_which_the_revision_is_forgotten_says_so(run: Run, apiserver: ScriptedApiserver) -> None:
    apiserver.answer(f"GET {OBJECT}", ok(found()), ok(found("restart#7", "Accepted")))
    said = await run("restart", "domains", "-n", "guardrails", "--id", "7", "--wait")
    assert said.code == 1
    assert "request 7 was carried out, and on which revision is not known any more" in said.err


WRONG = [
    pytest.param(["promote", "domains", "--timeout", "soon"], "--timeout", id="no duration"),
    pytest.param(["promote", "domains", "--id", "a b"], "--id", id="no ID"),
    pytest.param(["promote"], "Missing argument", id="no name"),
    pytest.param(["promote", "domains", "-o", "yaml"], "yaml", id="no such format"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
async def test_a_wrong_option_is_a_usage_error_and_asks_for_nothing(
    run: Run, apiserver: ScriptedApiserver, words: list[str], said: str
) -> None:
    apiserver.answer(f"GET {OBJECT}", ok(found()))
    ended = await run(*words, "-n", "guardrails")
    assert ended.code == 2
    assert said in ended.err
    assert not [request for request in apiserver.requests if request.method == "PATCH"]


async def test_a_revision_that_is_not_there_is_refused_with_those_that_are(
    run: Run, apiserver: ScriptedApiserver
) -> None:
    apiserver.answer(f"GET {OBJECT}", ok(found()))
    said = await run("rollback", "domains", "dddd", "-n", "guardrails")
    assert said.code == 1
    assert f"it has {CANARY}, {STABLE}, cccc333333" in said.err


@pytest.mark.parametrize("words", [["status"], ["explain"], ["promote"], ["rollback"]], ids=lambda words: words[0])
async def test_a_script_gets_a_document_also_where_the_object_is_not_there(
    run: Run, apiserver: ScriptedApiserver, words: list[str]
) -> None:
    apiserver.answer(f"GET {OBJECT}", refusal(404, "NotFound", "not found"))
    apiserver.answer("GET /apis", ok({"groups": []}))
    said = await run(*words, "domains", "-n", "guardrails", "-o", "json")
    assert said.code == 1
    assert said.document.keys() == {"error"}
    assert said.err == f"error: {said.document['error']}\n"


async def test_a_cluster_that_does_not_answer_is_named_with_what_to_do(run: Run, apiserver: ScriptedApiserver) -> None:
    apiserver.answer(f"GET {OBJECT}", refusal(503, "ServiceUnavailable", "down for a moment"))
    said = await run("status", "domains", "-n", "guardrails", "-o", "json")
    assert said.code == 1
    assert "gives no answer: see that it is up" in said.document["error"]
    assert "context 'test' gives no answer" in said.err


async def test_a_change_that_the_operator_has_not_seen_is_told(run: Run, apiserver: ScriptedApiserver) -> None:
    behind = found(observedGeneration=0)
    apiserver.answer(f"GET {OBJECT}", ok(behind), ok(found("pause#7", "Accepted")))
    said = await run("pause", "domains", "-n", "guardrails", "--id", "7")
    assert "has not seen the last change of the spec yet" in said.out


async def test_status_as_json_has_the_status_and_the_pods(run: Run, apiserver: ScriptedApiserver) -> None:
    apiserver.answer(f"GET {OBJECT}", ok(found()))
    pod = {
        "metadata": {"name": "p", "labels": {LABEL_REVISION: STABLE}, "creationTimestamp": "2026-05-04T03:00:00Z"},
        "spec": {"nodeName": "n1"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    apiserver.answer(f"GET {PODS}", ok({"metadata": {}, "items": [pod]}))
    said = await run("status", "domains", "-n", "guardrails", "-o", "json")
    assert said.code == 0
    assert said.document["status"]["rollout"]["canary"] == CANARY
    [told] = said.document["pods"]
    assert (told["name"], told["revision"], told["ready"], told["node"]) == ("p", STABLE, True, "n1")


COMPLETED = [
    pytest.param(["re"], ["retry", "restart", "resume"], ":4", id="a verb"),
    pytest.param(["promote", "-n", "guardrails", "do"], ["domains"], ":4", id="a name"),
    pytest.param(["rollback", "-n", "guardrails", "domains", ""], ["cccc333333"], ":4", id="a revision"),
    pytest.param(["pause", "-n", "guardrails", "--kubeconfig", "nowhere", ""], [], ":4", id="no cluster"),
    pytest.param(["plan", "-f", ""], [], ":0", id="a file"),
]


@pytest.mark.parametrize(("words", "offered", "directive"), COMPLETED)
async def test_kubectl_completes_verbs_names_and_revisions(
    apiserver: ScriptedApiserver, words: list[str], offered: list[str], directive: str
) -> None:
    other = {"metadata": {"name": "other"}, "spec": {"model": {"uri": "pvc://models/other"}}}
    apiserver.answer(f"GET {OBJECT}", ok(found()))
    apiserver.answer(f"GET {OBJECTS}", ok({"metadata": {}, "items": [found(), other]}))
    command = str(Path(sys.executable).with_name("kubectl_complete-plimsoll"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(command, *words, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    *candidates, last = out.decode().splitlines()
    assert [candidate.partition("\t")[0] for candidate in candidates] == offered
    assert last == directive
