"""Connectors of all kinds in one real process: each on its route, with its own settings."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.hostile import Process, process
from tests.wire import Client, ids

PROGRAM = (str(Path(__file__).resolve().parent.parent / "services.py"), "all of them")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    """The service, started."""
    log = str(tmp_path / "prices")
    with process(tmp_path / "service", PROGRAM, PRICE_FACTOR="3", PRICE_LOG=log) as made:
        yield made


def test_a_sink_a_source_and_a_transform_are_one_service(service: Process, tmp_path: Path) -> None:
    """What the sink takes by POST the source gives by GET on the same path; each has its settings.

    All of them are opened before the first request, and closed after the last.
    """
    client = service.listening()
    note = {"_id": "1", "text": "a"}

    assert client.post([note], "/notes").document == {"delivered": 1, "skipped": 0}
    assert json.loads(client.send("GET", "/notes", None).body) == [note]
    prices = client.post([{"_id": "2", "price": 7}], "/prices/nok")
    assert json.loads(prices.body) == [{"_id": "2", "price": 21}]
    assert ids(tmp_path / "service" / "notes") == ["1"]
    assert (tmp_path / "prices").read_text() == "opened\n"

    assert service.end(signal.SIGTERM) == 0
    assert (tmp_path / "prices").read_text() == "opened\nclosed\n"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/notes", {"GET", "POST"}),
        ("GET", "/prices/nok", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    method: str, path: str, allowed: set[str], service: Process
) -> None:
    """Those of every connector on that path, and of no other."""
    reply = service.listening().send(method, path, None)

    assert reply.status == reply.document["status"] == 405
    assert set(reply.headers["allow"].split(", ")) == allowed


def test_an_unknown_path_is_nobodys(service: Process) -> None:
    """However near it is."""
    client: Client = service.listening()

    for path in ("/", "/note", "/notes/", "/notes/1", "/prices", "/prices/nok/1"):
        assert client.post([], path).status == 404, path


def test_the_problems_of_all_settings_are_listed_at_once(tmp_path: Path) -> None:
    """Each once, also one that two connectors have; nothing is opened.

    Seen to fail when the first class with a problem ends the reading.
    """
    variables = {"NOTES_FILE": "", "PRICE_FACTOR": "CANARY", "THREADS": "0", "PORT": "x"}

    with process(tmp_path / "service", PROGRAM, **variables) as service:
        assert service.end(None) == 2
        lines = service.output().splitlines()

    assert [line.split(" is ")[0] for line in lines] == [
        *("PORT", "THREADS", "NOTES_FILE", "PRICE_FACTOR", "PRICE_LOG")
    ]
    assert "CANARY" not in service.output()
