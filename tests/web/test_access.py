"""A request's line in the log says whose it is, by fields that the documentation has."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from sesam_connector_sdk import Batch, Settings, Sink
from sesam_connector_sdk.testing import push
from tests.conftest import ROOT, Serving
from tests.notes import ObedientSink

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{TRACE}-00f067aa0ba902b7-01"
PAGE = (ROOT / "docs/reference/logs.md").read_text("utf-8")


class Keep(Sink[Settings]):
    """Keeps the last request."""

    def write(self, batch: Batch) -> None:
        """Take everything and keep what came with it."""
        for _ in batch:
            pass
        self.request = batch.request


def line(caplog: pytest.LogCaptureFixture) -> str:
    """The last line of the log."""
    return caplog.messages[-1]


def test_the_line_names_pipe_sequence_request_and_trace(caplog: pytest.LogCaptureFixture) -> None:
    """Where they are known; the sink is told of them, too."""
    caplog.set_level(logging.INFO)
    sink = Keep(Settings())
    query = {"pipe_id": "my-pipe", "sequence_id": "s1", "request_id": "r1", "x": "1"}

    assert push(sink, [{"_id": "1"}], query=query, headers={"Traceparent": HEADER}).accepted

    pattern = f"POST / 200 entities=1 ms=\\d+ pipe=my-pipe sequence=s1 request=r1 trace={TRACE}"
    assert re.fullmatch(pattern, line(caplog))
    assert sink.request.pipe == "my-pipe"
    assert sink.request.query == {"pipe_id": "my-pipe", "x": "1"}
    assert sink.request.traceparent
    assert sink.request.traceparent.startswith(f"00-{TRACE}-")
    assert sink.request.traceparent != HEADER


@pytest.mark.parametrize("header", [None, "", "nonsense", HEADER.upper(), f"{HEADER}, {HEADER}"])
def test_a_request_without_a_valid_trace_is_like_any_other(
    header: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Taken, and neither its line nor the sink has a trace. Seen to fail when one is made up."""
    caplog.set_level(logging.INFO)
    sink = Keep(Settings())
    headers = {} if header is None else {"traceparent": header}

    assert push(sink, [{"_id": "1"}], headers=headers).accepted

    assert re.fullmatch(r"POST / 200 entities=1 ms=\d+", line(caplog))
    assert sink.request.traceparent is None
    assert sink.request.pipe is None


def test_a_method_that_falcon_refuses_first_is_answered_and_logged_too(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """With 400, what to do, and one line; no path takes it.

    Seen to fail, with 500, when only a request that the middleware has seen begin can be logged.
    """
    caplog.set_level(logging.INFO)
    client = serving(Keep(Settings()))

    reply = client.send("WEBSOCKET", "/")

    assert (reply.status, reply.document["type"]) == (400, "urn:sesam-connector:malformed-request")
    assert "Send GET to a source, POST to a sink" in reply.document["detail"]
    assert [each for each in caplog.messages if each.startswith("WEBSOCKET / 400 ")] != []
    assert [each for each in caplog.messages if "bug" in each] == []


def test_what_the_pipe_says_cannot_forge_a_field(caplog: pytest.LogCaptureFixture) -> None:
    """A blank or a quote is quoted, the rest escaped, and all cut short."""
    caplog.set_level(logging.INFO)
    query = {
        "pipe_id": 'a" status=200',
        "sequence_id": "\n\u202e\0",
        "request_id": "x" * 1000,
    }

    assert push(Keep(Settings()), [], path="/a b", query=query).accepted

    name = "x" * 99 + "…"
    assert line(caplog).partition(" ms=")[0] == 'POST "/a b" 200 entities=0'
    assert re.sub(r".* ms=\d+ ", "", line(caplog)) == (
        f'pipe="a\' status=200" sequence=\\n\\u202e\\x00 request={name}'
    )


def test_every_field_is_in_the_reference_and_every_one_there_is_logged(
    serving: Serving, sink: ObedientSink, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the JSON lines finds each name on the page, and none that never comes.

    Seen to fail when a field is renamed, and when the page has one more.
    """
    caplog.set_level(logging.INFO)
    client = serving(sink, max_body_bytes=1000)
    client.send(
        path="/?pipe_id=p&sequence_id=s&request_id=r",
        body=json.dumps([{"_id": "1", "do": "reject"}]).encode(),
        headers={"traceparent": HEADER},
    )
    client.post([{"_id": "1", "do": "ValueError"}])
    client.post([])
    client.post(["x" * 1000])

    found: set[str] = {"level", "logger"}
    for record in caplog.records:
        fields: dict[str, Any] = vars(record).get("connector_fields", {})
        found |= fields.keys()
    # Of answers that are made while they are sent; ``tests/web/test_streams.py`` breaks one off.
    found.add("ended")

    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M)) == found


def test_the_page_shows_lines_as_they_are() -> None:
    """Each JSON line on the page is one, and has fields of the page only."""
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M))
    shown = [json.loads(each) for each in re.findall(r'^\{"level.*\}$', PAGE, re.M)]

    assert shown
    assert set().union(*shown) <= named
