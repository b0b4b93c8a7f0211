"""/metrics counts what was answered: the figures are those of the answers, whatever happens."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sesam_connector_sdk import Batch, Secret, Settings, Sink, TargetUnavailable, wsgi_app
from tests.docs import pages
from tests.notes import PATIENCE_SECONDS, ObedientSink
from tests.sources import Whole
from tests.transforms import ObedientTransform
from tests.wire import Client, eventually

Serving = Callable[..., Client]
PREFIX = "sesam_connector_"
SINK = {"connector": "ObedientSink", "kind": "sink"}


def scrape(page: str) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Every series of a page, by its name without the prefix and by its labels."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            name = sample.name.removeprefix(PREFIX)
            found.setdefault(name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def series(page: str, name: str, by: str = "", **labels: str) -> dict[str, float]:
    """What one metric says, by one of its labels, zeros left out."""
    found: Counter[str] = Counter()
    for each, value in scrape(page).get(name, {}).items():
        known = dict(each)
        if labels.items() <= known.items() and value:
            found[known.get(by, "")] += value  # type: ignore[assignment]  # a float adds up, too
    return dict(found)


def page(client: Client, headers: Mapping[str, str] | None = None) -> str:
    """What is scraped from a server."""
    reply = client.send("GET", "/metrics", None, headers or {})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return reply.body.decode()


def counted(answers: Iterable[tuple[bytes, falcon.testing.Result]]) -> dict[str, Counter[str]]:
    """What a reader of the answers, who knows nothing else, would count."""
    found: dict[str, Counter[str]] = {"code": Counter(), "outcome": Counter(), "sizes": Counter()}
    for body, answer in answers:
        document = answer.json
        if answer.status_code == 200:
            found["code"]["ok"] += 1
            found["outcome"].update(document)
            found["sizes"]["count"] += 1
            found["sizes"]["sum"] += sum(document.values())
            continue
        code = document["type"].rpartition(":")[2]
        found["code"][code] += 1
        if code == "malformed-body":
            continue
        size, named = len(json.loads(body)), document.get("entities_total", 0)
        verdict = "rejected" if answer.status_code < 500 and code != "throttled" else "failed"
        found["outcome"].update({verdict: named, "unconfirmed": size - named})
        found["sizes"].update({"count": int(size > 0), "sum": size})
    return found


ORDERS = st.sampled_from(
    [
        *("take", "take", "reject", "fail", "skip", "stop", "Throttled", "Rejected", "ValueError"),
        *("TargetUnavailable", "TargetRefusedUs", "OutcomeUnknown", "DestinationNotAllowed"),
    ]
)
ENTITY = st.builds(lambda order: {"_id": "1", "do": order}, ORDERS) | st.just({"do": "no id"})
# Found out only after some of its entities have been read.
WRONG_AT_THE_END = b"[" + b'{"_id":"1"},' * 20_000 + b"x"
BODY = st.lists(ENTITY, max_size=8).map(lambda each: json.dumps(each).encode()) | st.sampled_from(
    [b"[{", WRONG_AT_THE_END]
)


@given(bodies=st.lists(BODY, max_size=12))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_figures_are_those_of_the_answers(bodies: list[bytes], sink: ObedientSink) -> None:
    """For every mixture of outcomes: whoever adds up the answers comes to the same.

    Seen to fail when entities are counted before the account is closed, when those of an error are
    counted as delivered, and when an error's own list is left out.
    """
    client = falcon.testing.TestClient(wsgi_app(sink))

    answers = [(each, client.simulate_post("/", body=each)) for each in bodies]

    expected = counted(answers)
    shown = client.simulate_get("/metrics").text
    assert series(shown, "requests_total", "code", **SINK) == +expected["code"]
    assert series(shown, "entities_total", "outcome", **SINK) == +expected["outcome"]
    assert sum(series(shown, "request_seconds_count", **SINK).values()) == len(bodies)
    assert sum(series(shown, "batch_entities_count", **SINK).values()) == expected["sizes"]["count"]
    assert sum(series(shown, "batch_entities_sum", **SINK).values()) == expected["sizes"]["sum"]
    assert sum(series(shown, "received_bytes_total").values()) == sum(map(len, bodies))
    assert not series(shown, "requests_at_work")


def test_each_metric_tells_what_it_counts_as_its_page_does(sink: ObedientSink) -> None:
    """A dashboard shows the text alone, without the texts beside it."""
    told = {
        family.name.removesuffix("_total"): family.documentation
        for family in text_string_to_metric_families(
            falcon.testing.TestClient(wsgi_app(sink)).simulate_get("/metrics").text
        )
        if family.name.startswith(PREFIX)
    }

    rows = re.findall(
        rf"^\| `({PREFIX}\w+)` \|.*\| (.*) \|$",
        pages.text("docs/reference/health-and-metrics.md"),
        re.M,
    )
    plain = {name: re.sub(r"\]\(.*?\)|[`\[]", "", cell) for name, cell in rows}
    assert told == {
        name.removesuffix("_total"): f"{cell[0].upper()}{cell[1:]}." for name, cell in plain.items()
    }


def test_statuses_and_their_classes_are_counted(serving: Serving, sink: ObedientSink) -> None:
    """The exact status of requests, its class of durations."""
    client = serving(sink)
    for order in ("take", "reject", "ValueError", "fail", "Throttled"):
        client.post([{"_id": "1", "do": order}])

    shown = page(client)

    assert series(shown, "requests_total", "status") == dict.fromkeys(
        ("200", "422", "500", "503", "429"), 1
    )
    assert series(shown, "request_seconds_count", "class") == {"2xx": 1, "4xx": 2, "5xx": 2}


def test_the_time_of_the_target_is_that_of_writes(serving: Serving, sink: ObedientSink) -> None:
    """What never reached the sink has none. It is no more than the request's own."""
    client = serving(sink)
    client.post([{"_id": "1"}])
    client.post([{"_id": "1", "do": "ValueError"}])
    client.post([{"no": "id"}])

    shown = page(client)

    assert series(shown, "target_seconds_count") == {"": 2}
    spent = series(shown, "target_seconds_sum")[""]
    assert 0 < spent <= series(shown, "request_seconds_sum")[""]


def test_a_body_in_chunks_counts_with_its_bytes(serving: Serving, sink: ObedientSink) -> None:
    """Though it came without a length."""
    client = serving(sink)
    client.send(body=iter([b'[{"_id":', b'"1"}]']))

    assert series(page(client), "received_bytes_total") == {"": 13}


HOSTILE = [
    *(
        "/a/b",
        "/%00",
        "/%0a%0d",
        "/é".encode().decode("latin-1"),
        '/"}',
        "/metrics/x",
        "//",
        "/{q}",
    ),
    *(f"/{at}" for at in range(50)),
    *(f"/x?pipe_id={at}&sequence_id={at}&k%0a={at}" for at in range(50)),
]


def test_no_request_can_add_a_label(serving: Serving, sink: ObedientSink) -> None:
    """Neither its path, nor its method, its query, its headers, nor an ``_id``: the page stays.

    Seen to fail with the path as a label.
    """

    class Routed(Sink[Settings]):
        route = "/{queue}"

        def write(self, batch: Batch) -> None:
            for entity in batch:
                batch.reject(entity, "no")

    client = serving(Routed(Settings()))

    def send(at: int) -> None:
        for path in HOSTILE:
            raw = f"{path}{at}".encode("latin-1")
            body = json.dumps([{"_id": f"{path}-{at}"}]).encode()
            for method in (b"POST", b"GET", b"BREW", b"DELETE"):
                head = b"%b %b HTTP/1.1\r\nHost: x%d\r\nContent-Length: %d\r\n\r\n"
                client.raw(head % (method, raw, at, len(body)) + body)

    send(1)
    first = scrape(page(client))
    send(2)
    second = scrape(page(client))

    assert {name: set(each) for name, each in second.items()} == {
        name: set(each) for name, each in first.items()
    }
    own = {
        label
        for name, each in second.items()
        for labels in each
        for label in labels
        if not name.startswith("process") and label[0] != "le"
    }
    assert {text for name, text in own if name == "connector"} == {"Routed", "none"}
    assert {text for name, text in own if name == "kind"} == {"sink", "none"}
    assert {name for name, _ in own} == {
        *("connector", "kind", "status", "code", "class", "outcome")
    }
    assert {text for name, text in own if name == "status"} <= {"400", "404", "405", "422"}
    assert {text for name, text in own if name == "code"} <= {
        *("malformed-request", "unknown-route", "method-not-allowed", "rejected", "ok")
    }


def test_it_is_scraped_while_requests_are_answered(serving: Serving, sink: ObedientSink) -> None:
    """Each page can be read, no figure goes back, and in the end none is missing."""
    client = serving(sink, threads=8)
    stop = threading.Event()
    pages: list[float] = []

    def watch() -> None:
        while not stop.is_set():
            pages.append(series(page(client), "entities_total").get("", 0))

    with ThreadPoolExecutor(8) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        for reply in pool.map(lambda _: client.post([{"_id": "1"}] * 3), range(100)):
            assert reply.status == 200
        stop.set()
        for each in watchers:
            each.result(PATIENCE_SECONDS)

    assert series(page(client), "entities_total", "outcome") == {"delivered": 300}
    assert max(pages) <= 300


class Gated(Sink[Settings]):
    """Waits at a gate."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.begun = threading.Event()
        self.gate = threading.Event()

    def write(self, batch: Batch) -> None:  # noqa: ARG002  # it takes none
        """Wait, and then fail."""
        self.begun.set()
        assert self.gate.wait(PATIENCE_SECONDS)
        raise ValueError


def test_requests_at_work_are_those_that_have_begun(serving: Serving) -> None:
    """And no longer when they have ended, however they did. Seen to fail without the decrement."""
    sink = Gated()
    client = serving(sink)
    client.send("GET", "/", None)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, [{"_id": "1"}])
        assert sink.begun.wait(PATIENCE_SECONDS)
        assert series(page(client), "requests_at_work", "connector") == {"Gated": 1}
        sink.gate.set()
        assert answer.result(PATIENCE_SECONDS).status == 500

    assert not series(page(client), "requests_at_work")


def test_what_a_transform_took_is_counted_when_its_answer_is_whole(serving: Serving) -> None:
    """One that broke off in the middle is not, though its status was 200."""

    class Small(ObedientTransform):
        held_bytes = 1

    client = serving(Small(Settings()))
    good = [{"_id": str(at), "text": "x" * 1000} for at in range(300)]
    who = {"connector": "Small", "kind": "transform"}

    assert client.post(good).status == 200
    with pytest.raises(http.client.IncompleteRead):
        client.post([*good, {"_id": "bad", "do": "ValueError"}])

    def ended() -> bool:
        return sum(series(page(client), "requests_total", **who).values()) == 2

    eventually(ended, "both have ended")
    shown = page(client)
    assert series(shown, "requests_total", "code", **who) == {"ok": 1, "broken-off": 1}
    assert series(shown, "entities_total", "outcome", **who) == {
        "transformed": 300,
        "unconfirmed": 301,
    }
    assert series(shown, "target_seconds_count", **who) == {"": 2}
    assert not series(shown, "requests_at_work")


def test_what_a_source_has_sent_is_counted_when_its_answer_is_whole(serving: Serving) -> None:
    """What failed before anything was sent is an error like others, what failed later broke off."""
    given = [{"_id": str(at), "_updated": at, "text": "x" * 1000} for at in range(300)]

    class Early(Whole):
        route = "/early"

    class Late(Whole):
        route = "/late"

    class Good(Whole):
        route = "/good"

    client = serving(
        Good(given), Early([], TargetUnavailable()), Late(given, ValueError()), threads=3
    )
    assert client.send("GET", "/good", None, {}).status == 200
    assert client.send("GET", "/early", None, {}).status == 503
    with pytest.raises(http.client.IncompleteRead):
        client.send("GET", "/late", None, {})

    def ended() -> bool:
        return sum(series(page(client), "requests_total", kind="source").values()) == 3

    eventually(ended, "all have ended")
    shown = page(client)
    codes = {
        name: series(shown, "requests_total", "code", connector=name)
        for name in ("Good", "Early", "Late")
    }
    assert codes == {
        "Good": {"ok": 1},
        "Early": {"target-unavailable": 1},
        "Late": {"broken-off": 1},
    }
    assert series(shown, "entities_total", "outcome") == {"sent": 300, "unconfirmed": 300}
    assert not series(shown, "requests_at_work")


def test_it_follows_the_authentication_unless_told_otherwise(
    serving: Serving, sink: ObedientSink
) -> None:
    """It says nothing of what is delivered, but a good deal about how much."""
    who: dict[str, Any] = {
        "authentication": "basic",
        "auth_username": "u",
        "auth_password": Secret("p"),
    }
    closed = serving(sink, **who)
    opened = serving(sink, **who, metrics_open=True)

    assert closed.send("GET", "/metrics", None, {}).status == 401
    assert series(page(closed, {"Authorization": "Basic dTpw"}), "requests_total") == {}
    assert opened.post([]).status == 401
    assert series(page(opened), "requests_total", "code") == {"unauthorized": 1}


def test_it_is_there_until_the_end(sink: ObedientSink) -> None:
    """While it drains, too: the last figures matter most."""
    client = falcon.testing.TestClient(wsgi_app(sink, draining=lambda: True))

    assert client.simulate_post("/").status_code == 503
    shown = client.simulate_get("/metrics").text
    assert series(shown, "requests_total", "code") == {"shutting-down": 1}


def test_each_application_has_figures_of_its_own(sink: ObedientSink, notes_file: Path) -> None:
    """Two in one process do not mix."""
    one, two = (falcon.testing.TestClient(wsgi_app(sink)) for _ in range(2))
    one.simulate_post("/", body=b"[]")

    assert series(one.simulate_get("/metrics").text, "requests_total") == {"": 1}
    assert series(two.simulate_get("/metrics").text, "requests_total") == {}
    assert scrape(two.simulate_get("/metrics").text)["process_resident_memory_bytes"]


def test_the_route_is_no_connectors() -> None:
    """Refused at the start."""
    taken: Any = type("Taken", (Gated,), {"route": "/metrics"})

    with pytest.raises(ValueError, match=r"Taken\.route is taken: /metrics"):
        wsgi_app(taken())
