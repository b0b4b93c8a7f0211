"""What HTTP can do to a run: no connection, half an answer, a redirect, a kept connection."""

from __future__ import annotations

import base64
import re
import socket
import threading
from typing import Any

import pytest
import requests

from sesam_connector_sdk.hub import End, Fate, Run, push
from tests.hub.targets import DEAD_LETTERS, RudeServer, entities, plan


def run_against(server: RudeServer, *ids: str, **asked: Any) -> Run:
    """Push entities to a rude server; waiting takes no time."""
    with server.listening() as base:
        return push(plan(base, entities(*ids), **asked), sleep=lambda _seconds: None)


def errors(run: Run) -> list[str | None]:
    """What broke the contact, for each request."""
    return [record.answer.error for record in run.requests]


def test_a_run_uses_one_connection() -> None:
    """Connections are kept, as the hub keeps them."""
    server = RudeServer()

    run = run_against(server, *"abcdef")

    assert run.ok
    assert len(server.clients) == 4
    assert len(set(server.clients)) == 1


def test_nothing_that_listens_is_no_contact() -> None:
    """A refused connection is its own kind of failure, with no status."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        run = push(plan(f"http://127.0.0.1:{taken.getsockname()[1]}", entities("a", "b", "c")))

    assert run.end is End.NO_CONTACT
    assert not run.answered
    assert set(errors(run)) == {"no connection: nothing listens there"}
    assert {record.answer.status for record in run.requests} == {None}
    assert [each.fate for each in run.ledger.accounts] == [
        Fate.FAILED,
        Fate.FAILED,
        Fate.NOT_SENT,
    ]


def test_a_name_that_does_not_exist_is_no_contact() -> None:
    """``.invalid`` never exists (RFC 6761)."""
    run = push(plan("http://connector.invalid:5000", []))

    assert run.end is End.NO_CONTACT


def test_an_address_that_cannot_be_is_no_contact() -> None:
    """It is told, and not an exception of the library."""
    run = push(plan("http://127.0.0.1 :5000", []))

    assert errors(run)[0] == "no connection: the address is not valid"


@pytest.mark.parametrize("does", ["cut", "half"])
def test_a_connection_that_breaks_is_tried_again(does: str) -> None:
    """An answer that is not complete is none, although its status came."""
    server = RudeServer([does, does])

    run = run_against(server, "a")

    assert errors(run) == ["the connection broke before the answer was complete"] * 2 + [None] * 2
    assert server.taken == ["a"]
    assert run.ok


def test_a_lost_answer_makes_a_duplicate_and_not_a_loss() -> None:
    """The target has the entity twice; the ledger counts the one answer there was."""
    server = RudeServer(["take and cut"])

    run = run_against(server, "a")

    assert server.taken == ["a", "a"]
    assert (run.ledger.accounts[0].sent, run.ledger.accounts[0].delivered) == (2, 1)


def test_a_connector_that_stays_silent_is_given_up() -> None:
    """After the system's read_timeout, which is told."""
    server = RudeServer(["silent"])

    run = run_against(server, "a", system={"read_timeout": 0.1})

    assert errors(run) == ["no answer within 0.1 s", None, None]
    assert run.ok


def test_the_timeouts_are_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 and 1800 seconds by default (``configuration-systems-microservice``)."""
    asked: list[Any] = []

    def send(*_arguments: Any, **options: Any) -> None:
        asked.append(options["timeout"])
        raise requests.ConnectTimeout

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)

    runs = [
        push(plan("http://127.0.0.1:1", [], system=system, pump={"batch_retries": 0}))
        for system in ({}, {"connect_timeout": 5, "read_timeout": 7})
    ]

    assert asked == [(60, 1800), (5, 7)]
    assert errors(runs[1]) == ["no connection within 5 s"]


def test_a_redirect_is_a_failure() -> None:
    """Following a 302 would turn the POST into a GET without entities, answered 200."""
    server = RudeServer([302] * 99, headers={"Location": "/elsewhere"})

    run = run_against(server, "a")

    assert run.end is End.WRITE_ERRORS
    assert all(target.startswith("/?") for target in server.targets)


def test_any_2xx_counts_as_delivered() -> None:
    """Also one without a body."""
    assert run_against(RudeServer([204, 201]), "a").ok


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"detail": 1}', b"\xff", b"[" * 60_000])
def test_an_answer_that_is_no_problem_document_has_no_detail(body: bytes) -> None:
    """Nothing of it is shown, and nothing breaks."""
    run = run_against(RudeServer([500], body=body), "a")

    assert run.requests[0].answer.detail is None
    assert run.requests[0].answer.failure == "500"


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    """The status is what counts; the connection is given up, and the next request has another."""
    server = RudeServer(["endless"])

    run = run_against(server, "a")

    assert run.ok
    assert server.sent < 50_000_000
    assert len(set(server.clients)) == 2


def test_no_connection_is_left_open_after_a_run() -> None:
    """Also where one broke before: its error must not keep the others alive."""
    server = RudeServer(["cut"])
    with server.listening() as base:
        push(plan(base, entities("a")), sleep=lambda _seconds: None)

        assert server.left.acquire(timeout=2)
        assert server.left.acquire(timeout=2)


def test_the_pipes_content_type_replaces_the_hubs() -> None:
    """As the documentation's example does, in whatever case it is written."""
    kind = "application/json; charset=UTF-8"
    server = RudeServer()

    run_against(server, sink={"headers": {"content-type": kind}})

    assert [
        value for name, value in server.received[0].items() if name.lower() == "content-type"
    ] == [kind]


def test_basic_authentication_is_the_systems() -> None:
    """And only where the system asks for it."""
    server = RudeServer()
    system = {"username": "u", "password": "p", "authentication": "basic"}

    run_against(server, system=system)
    run_against(server, system={**system, "authentication": None})

    assert server.received[0]["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    assert "Authorization" not in server.received[1]


def test_digest_authentication_is_answered() -> None:
    """The challenge's request does not count; its body is sent again with the answer to it."""
    challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
    server = RudeServer([401], headers=challenge)
    system = {"username": "u", "password": "p", "authentication": "digest"}

    run = run_against(server, "a", system=system)

    assert [record.answer.status for record in run.requests] == [200, 200]
    assert re.match(r'Digest username="u"', server.received[1]["Authorization"])
    assert server.bodies == [b'[{"_id":"a"}]', b'[{"_id":"a"}]', b"[]"]


def test_the_machines_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent does not depend on the machine it is sent from."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert run_against(RudeServer(), "a").ok


def test_a_poisonous_entity_is_isolated_even_if_it_kills_the_connection() -> None:
    """No contact falls back to single entities like any failure of a batch."""
    server = RudeServer(["cut", "cut", 200])

    run = run_against(server, "a", "b", pump={**DEAD_LETTERS, "batch_retries": 0})

    assert [each.fate for each in run.ledger.accounts] == [Fate.DEAD_LETTERED, Fate.DELIVERED]
    assert threading.active_count() < 50


def test_a_certificate_is_asked_for_where_the_address_says_so() -> None:
    """A server that speaks plain HTTP behind an https address is no contact."""
    server = RudeServer()
    with server.listening() as base:
        run = push(plan(base.replace("http", "https"), [], pump={"batch_retries": 0}))

    assert errors(run) == ["no secure connection: the certificate or the protocol was refused"]
