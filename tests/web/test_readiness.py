"""/readyz says what the checks say, never waits for long, and /healthz asks nobody."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from sesam_connector_sdk import Batch, Settings, Sink, TargetUnavailable, wsgi_app
from sesam_connector_sdk.web import readiness
from tests.connectors import Start, body_of
from tests.notes import PATIENCE_SECONDS, ObedientSink
from tests.server.hostile import rest
from tests.wire import Client, Reply, eventually, refused

Serving = Callable[..., Client]
ANEW = {"check_interval": 1e-9}
"""Each time somebody asks, the check is asked."""


class Checked(Sink[Settings]):
    """Its check does what it is told, and counts."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.told: BaseException | None = None
        self.checks = 0
        self.at_once = 0
        self.most_at_once = 0
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def check(self) -> None:
        """Count, wait at the gate, and fail if it is told to."""
        self.checks += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        self.gate.wait(PATIENCE_SECONDS)
        self.at_once -= 1
        if self.told:
            raise self.told

    def write(self, batch: Batch) -> None:
        """Take every entity."""
        for _ in batch:
            pass

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """The checks of this block hang until its end."""
        self.begun.clear()
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()


class One(Checked):
    """The first of two."""

    route = "/one"


class Two(Checked):
    """The second."""

    route = "/two"


class Stuck(Checked):
    """Its writes hang until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work = threading.Semaphore(0)
        self.let_go = threading.Event()

    def write(self, batch: Batch) -> None:
        """Wait, then take every entity."""
        self.at_work.release()
        self.let_go.wait(PATIENCE_SECONDS)
        super().write(batch)


def ready(client: Client) -> bool:
    """What /readyz says, which is one of two answers and nothing more."""
    return said(client.send("GET", "/readyz", None, {}))


def said(reply: Reply) -> bool:
    """Whether an answer says ready."""
    assert reply.headers["content-type"] == "application/json"
    assert (reply.status, reply.document) in [
        (200, {"status": "ready"}),
        (503, {"status": "not ready"}),
    ]
    return reply.status == 200


def alive(client: Client) -> bool:
    """What /healthz says."""
    return client.send("GET", "/healthz", None, {}).status == 200


def test_a_connector_without_a_check_is_ready(
    serving: Serving, sink: ObedientSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to check, and no thread is made for it."""
    client = serving(sink, **ANEW)
    monkeypatch.setattr(readiness, "threading", None)

    assert ready(client)


def test_readiness_is_what_the_check_says(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, once for each change; liveness and requests do not depend on it.

    Seen to fail when the text of an exception is logged, and when each answer is.
    """
    caplog.set_level(logging.INFO, "sesam_connector_sdk")
    sink = Checked()
    client = serving(sink, **ANEW)
    states: list[BaseException | None] = [
        *(None, None, ValueError("CANARY"), ValueError("CANARY"), None, None),
        *(TargetUnavailable("The shop\nis closed."), SystemExit(3), None),
    ]

    for state in states:
        sink.told = state
        assert ready(client) == (state is None)
        assert alive(client)
        assert client.post([{"_id": "1"}]).status == 200

    told = [each.getMessage() for each in caplog.records if each.name.endswith(".ready")]
    assert told == [
        "Checked is ready",
        "Checked is not ready: ValueError",
        "Checked is ready",
        "Checked is not ready: The shop\\nis closed.",
        "Checked is ready",
    ]
    assert "readyz" not in caplog.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_balancer_may_ask_with_head(path: str, serving: Serving, sink: ObedientSink) -> None:
    """The status says all that it wants to know. Seen to fail when only GET is answered."""
    reply = serving(sink).send("HEAD", path, None)

    assert (reply.status, reply.body) == (200, b"")


def test_an_answer_holds_for_a_while(serving: Serving) -> None:
    """However often somebody asks, the other side is asked once. Seen to fail without a cache."""
    sink = Checked()
    client = serving(sink, check_interval=1000.0)

    assert [ready(client) for _ in range(20)] == [True] * 20
    sink.told = ValueError()
    assert ready(client)
    assert sink.checks == 1


def test_a_check_that_hangs_is_not_ready_and_hangs_nobody(serving: Serving) -> None:
    """One request waits, for the time that is set; no second check begins; all else goes on.

    Seen to fail (hang) when the check is asked in the request's own thread, and when each request
    starts one.
    """
    sink = Checked()
    client = serving(sink, **ANEW, check_timeout=0.1, threads=4)
    assert ready(client)

    with sink.hanging():
        assert not ready(client)
        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(ready, [client] * 20)) == [False] * 20
        assert alive(client)
        assert client.post([{"_id": "1"}]).status == 200
        assert sink.checks == 2

    eventually(lambda: ready(client), "it is ready when the check comes back")
    assert sink.most_at_once == 1


def test_while_a_check_is_on_its_way_the_last_answer_holds(serving: Serving) -> None:
    """So a slow check takes no more than one thread, and no replica out of the traffic.

    Seen to fail when everybody waits for it.
    """
    sink = Checked()
    client = serving(sink, **ANEW, check_timeout=PATIENCE_SECONDS, threads=2)
    assert ready(client)

    with ThreadPoolExecutor(1) as pool:
        with sink.hanging():
            sink.told = ValueError()
            first = pool.submit(ready, client)
            assert sink.begun.wait(PATIENCE_SECONDS)
            assert all(ready(client) for _ in range(10))
        assert first.result(PATIENCE_SECONDS) is False


def test_while_every_thread_hangs_both_are_answered(serving: Serving) -> None:
    """Also while a check hangs, too: probes have threads of their own, and one of them is free.

    Seen to fail when probes wait for a thread like any request, and with one thread for them.
    """
    sink = Stuck()
    client = serving(sink, **ANEW, check_timeout=PATIENCE_SECONDS, threads=12)
    with ThreadPoolExecutor(16) as pool:
        posts = [pool.submit(client.post, [{"_id": f"{at}"}]) for at in range(15)]
        try:
            assert all(sink.at_work.acquire(timeout=PATIENCE_SECONDS) for _ in range(12))
            assert ready(client)
            assert alive(client)
            with sink.hanging():
                waiting = pool.submit(ready, client)
                assert sink.begun.wait(PATIENCE_SECONDS)
                assert ready(client)
                assert alive(client)
            assert waiting.result()
            assert not any(post.done() for post in posts)
        finally:
            sink.let_go.set()
        assert [post.result().status for post in posts] == [200] * 15


def test_of_several_checks_that_hang_one_is_waited_for(serving: Serving) -> None:
    """Not one by each who asks, or the probes' threads would not do.

    Seen to fail when each connector's check is waited for by somebody else.
    """
    one, two = One(), Two()
    client = serving(one, two, **ANEW, check_timeout=PATIENCE_SECONDS)
    assert ready(client)
    with ThreadPoolExecutor(1) as pool, one.hanging(), two.hanging():
        waiting = pool.submit(ready, client)
        assert one.begun.wait(PATIENCE_SECONDS)
        assert [ready(client) for _ in range(5)] == [True] * 5
        assert alive(client)
        assert not two.begun.is_set()
        assert not waiting.done()


def test_before_the_first_check_has_come_back_nothing_is_ready(serving: Serving) -> None:
    """Nobody is sent to a connector of which nothing is known."""
    sink = Checked()
    client = serving(sink, check_timeout=PATIENCE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        with sink.hanging():
            first = pool.submit(ready, client)
            assert sink.begun.wait(PATIENCE_SECONDS)
            assert not ready(client)
        assert first.result(PATIENCE_SECONDS) is True


def test_where_no_thread_can_be_started_it_is_not_ready(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and asks again later."""
    sink = Checked()
    client = serving(sink, **ANEW)

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Thread", NoThread)
        assert not ready(client)
    assert ready(client)


def test_all_connectors_of_a_service_have_to_be_ready(serving: Serving) -> None:
    """One that is not is enough."""
    one, two = One(), Two()
    client = serving(one, two, **ANEW)

    assert ready(client)
    two.told = ValueError()
    assert not ready(client)
    one.told, two.told = ValueError(), None
    assert not ready(client)


def test_while_draining_nothing_is_ready_and_all_is_alive() -> None:
    """And nobody is asked any more. Seen to fail when draining is not looked at."""
    sink = Checked()
    client = falcon.testing.TestClient(wsgi_app(sink, draining=lambda: True))

    answer = client.simulate_get("/readyz")

    assert (answer.status_code, answer.json) == (503, {"status": "not ready"})
    assert client.simulate_get("/healthz").status_code == 200
    assert sink.checks == 0


def test_a_process_that_drains_says_that_it_is_not_ready(connector: Start) -> None:
    """On a connection that it has; new ones are refused. What it has at work is answered."""
    found = connector("GatedSink")
    client = found.listening()
    assert ready(client)
    with client.connect() as connection:
        connection.sendall(body_of("1") + b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        found.begun()
        found.process.send_signal(signal.SIGTERM)
        eventually(lambda: refused(client), "new connections are refused")
        found.open_gate()

        came = rest(connection)
    assert came.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 503 " in came
    assert came.endswith(b'{"status":"not ready"}')
    assert found.end() == 0


def test_a_check_that_never_comes_back_does_not_keep_the_process(connector: Start) -> None:
    """It ends well all the same. Seen to fail when its thread is no daemon."""
    found = connector("HangingCheckSink", CHECK_TIMEOUT="0.1")
    client = found.listening()

    assert not ready(client)
    assert Path(f"{found.target}.checked").exists()
    assert found.end(signal.SIGTERM) == 0
    assert "HangingCheckSink is not ready: no answer within 0.1 s" in found.log()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_route_of_the_sdks_own_is_no_connectors(path: str) -> None:
    """Refused at the start, by name."""
    taken: Any = type("Taken", (Checked,), {"route": path})

    with pytest.raises(ValueError, match=f"Taken.route is taken: {path}"):
        wsgi_app(taken())
