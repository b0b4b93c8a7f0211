"""What an author's tests use runs the whole way of a request, without a server."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from sesam_connector_sdk import Batch, Secret, ServerSettings, Settings, Sink
from sesam_connector_sdk.testing import Answer, opened, push, settings_table
from tests.notes import NotesSettings, NotesSink, ObedientSink
from tests.wire import ids, notes


class Mirror(Sink[Settings]):
    """Keeps the last request."""

    route = "/to/{place}"

    def write(self, batch: Batch) -> None:
        """Take everything and keep what came with it."""
        self.bodies = [entity.json for entity in batch]
        self.request = batch.request


def test_a_push_reaches_the_target(notes_file: Path) -> None:
    """What the target holds is what was pushed, and the answer counts it."""
    with opened(NotesSink(NotesSettings(notes_file=str(notes_file)))) as sink:
        answer = push(sink, [{"_id": "1", "x": 1}, {"_id": "2"}])

    assert answer.accepted
    assert answer == Answer(200, answer.headers, {"delivered": 2, "skipped": 0})
    assert answer.headers["content-type"] == "application/json"
    assert notes(notes_file) == [{"_id": "1", "x": 1}, {"_id": "2"}]


def test_a_push_carries_path_query_and_headers() -> None:
    """The sink sees them as a request from the hub would show them."""
    mirror = Mirror(Settings())

    answer = push(
        mirror,
        [],
        path="/to/x y",
        query={"table": "a&b", "is_full": "true", "sequence_id": "s"},
        headers={"X-Token": "t"},
    )

    assert answer.accepted
    assert mirror.request.fields == {"place": "x y"}
    assert mirror.request.query == {"table": "a&b"}
    assert mirror.request.push.is_full
    assert mirror.request.push.sequence_id == "s"
    assert mirror.request.headers["x-token"] == "t"
    assert 0 < mirror.request.remaining() <= 300


def test_numbers_are_pushed_exactly_and_bytes_as_they_are() -> None:
    """Decimals as numbers, big integers whole; a body of bytes is not touched."""
    mirror = Mirror(Settings())

    push(mirror, [{"_id": "1", "x": Decimal("1.10"), "y": 10**30}], path="/to/x")
    assert mirror.bodies == [b'{"_id":"1","x":1.10,"y":1%b}' % (b"0" * 30)]
    push(mirror, b'[ {"_id":"1" } ]', path="/to/x")
    assert mirror.bodies == [b'{"_id":"1" }']


def test_a_bug_comes_out_as_the_exception_it_is(sink: ObedientSink) -> None:
    """A test shows the traceback, not a 500."""
    with pytest.raises(ValueError, match="CANARY"):
        push(sink, [{"_id": "1", "do": "ValueError"}])


def test_an_error_is_an_answer(sink: ObedientSink) -> None:
    """With status, document, and the ids that it names; None for an entity without."""
    answer = push(sink, [{"_id": "1", "do": "reject"}])
    assert (answer.status, answer.accepted, answer.rejected_ids) == (422, False, ["1"])

    assert push(sink, [{"x": 1}]).rejected_ids == [None]
    assert push(sink, b"nothing").rejected_ids == []
    assert push(sink, [{"_id": "1"}], headers={"content-type": "text/csv"}).status == 415


def test_limits_can_be_set(sink: ObedientSink) -> None:
    """A test can try what its connector does at a limit."""
    small = ServerSettings(max_body_bytes=50, max_entity_bytes=20)

    assert push(sink, [{"_id": "1"}], settings=small).status == 200
    assert push(sink, [{"_id": "1" * 20}], settings=small).status == 413
    assert push(sink, [{"_id": "1"}] * 10, settings=small).status == 413
    assert push(sink, b"[]" + b" " * 49, settings=small).status == 413


def test_an_opened_sink_is_closed_whatever_happens(notes_file: Path) -> None:
    """Also when the block fails."""
    sink = NotesSink(NotesSettings(notes_file=str(notes_file)))

    with pytest.raises(AssertionError), opened(sink):
        assert not push(sink, [{"_id": "1"}]).accepted

    assert sink.file.closed
    assert ids(notes_file) == ["1"]


class TableSettings(Settings):
    """One setting of each look."""

    place: str
    """Where to | what."""

    token: Secret = Secret("CANARY")
    """Opens it."""

    retries: int = 3
    note: str = ""


def test_the_settings_make_a_table() -> None:
    """Every variable, its default, what it may be and do; a secret with the variable of its file.

    A bar in a text opens no column.
    """
    table = settings_table(TableSettings, ServerSettings)

    assert table.startswith(
        "| variable | default | value | what it does |\n"
        "| --- | --- | --- | --- |\n"
        "| `PLACE` | required | text | Where to \\| what. |\n"
        "| `TOKEN` | `***` | secret; `TOKEN_FILE` names a file with it | Opens it. |\n"
        "| `RETRIES` | `3` | integer |  |\n"
        "| `NOTE` | not set | text |  |\n"
        "| `PORT` | `5000` | integer from 0 to 65535 | "
    )
    assert table.count("\n") == 2 + 4 + len(ServerSettings.describe())
