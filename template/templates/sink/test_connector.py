"""What reaches the target, by what the target holds afterwards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sesam_connector_sdk import Sink
from sesam_connector_sdk.testing import opened, push, running

from {{ cookiecutter.package_name }}.sink import NotesSettings, NotesSink

FIRST = b'{"_id": "1", "_updated": 7, "price": 1.10, "text": "bl\xc3\xa5b\xc3\xa6r"}'
DELETED = b'{"_id":"2","_deleted":true}'


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The file that the sink writes to."""
    return tmp_path / "notes.jsonl"


@pytest.fixture
def sink(notes: Path) -> Iterator[Sink[Any]]:
    """The sink, opened."""
    with opened(NotesSink(NotesSettings(notes_file=str(notes)))) as sink:
        yield sink


def test_an_accepted_batch_is_in_the_file_byte_for_byte(sink: Sink[Any], notes: Path) -> None:
    """What was answered 200 is in the file, in order, as the hub sent it; deletes too."""
    answer = push(sink, b"[" + FIRST + b", " + DELETED + b"]")

    assert answer.accepted
    assert notes.read_bytes() == FIRST + b"\n" + DELETED + b"\n"


def test_what_was_there_stays(notes: Path) -> None:
    """A restarted connector appends to what earlier ones have written."""
    for body in (b"[" + FIRST + b"]", b"[" + DELETED + b"]"):
        with opened(NotesSink(NotesSettings(notes_file=str(notes)))) as sink:
            assert push(sink, body).accepted

    assert notes.read_bytes() == FIRST + b"\n" + DELETED + b"\n"


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[" + FIRST, b"[" + FIRST + b",]"])
def test_a_broken_body_writes_nothing(sink: Sink[Any], notes: Path, body: bytes) -> None:
    """A body that is no array of objects is answered 400, and nothing of it is delivered."""
    answer = push(sink, body)

    assert answer.status == 400
    assert notes.read_bytes() == b""


def test_an_entity_without_an_id_is_named(sink: Sink[Any], notes: Path) -> None:
    """One bad entity refuses the batch, and the answer says which one it is."""
    answer = push(sink, b"[" + FIRST + b',{"text":"no _id"}]')

    assert answer.status == 422
    assert [problem["position"] for problem in answer.document["entities"]] == [1]
    assert notes.read_bytes() == b""


def test_a_retry_costs_a_second_line_and_nothing_else(sink: Sink[Any], notes: Path) -> None:
    """A file cannot tell what it holds already; a target with keys should use ``entity.key``."""
    assert push(sink, b"[" + FIRST + b"]").accepted
    assert push(sink, b"[" + FIRST + b"]").accepted

    assert notes.read_bytes() == (FIRST + b"\n") * 2


def test_an_empty_batch_is_accepted(sink: Sink[Any], notes: Path) -> None:
    """The hub ends every run with an empty batch; there is nothing to write for it."""
    assert push(sink, []).accepted
    assert notes.read_bytes() == b""


def test_the_process_delivers_and_ends_on_sigterm(notes: Path) -> None:
    """The connector as the image runs it: it takes a request, and stops when the node says so."""
    with running("{{ cookiecutter.package_name }}", NOTES_FILE=str(notes)) as connector:
        status, _ = connector.post(b"[" + FIRST + b"]")

        assert status == 200
        assert notes.read_bytes() == FIRST + b"\n"
