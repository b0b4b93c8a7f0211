"""What the hub reads, by what is in the answers."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sesam_connector_sdk import Source
from sesam_connector_sdk.testing import opened, prove_capabilities, pull, running

from {{ cookiecutter.package_name }}.source import NotesSettings, NotesSource

FIRST = '{"_id": "1", "_updated": 7, "price": 1.10, "text": "blåbær"}'
SECOND = '{"_id": "2", "_updated": 9, "count": 100000000000000000001}'
AS_OLD = '{"_id": "3", "_updated": 9}'
DELETED = '{"_id": "1", "_updated": 12, "_deleted": true}'


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The file that the source reads, with notes in it."""
    path = tmp_path / "notes.jsonl"
    path.write_text("\n".join([FIRST, SECOND, AS_OLD, DELETED]) + "\n", "utf-8")
    return path


@pytest.fixture
def source(notes: Path) -> Iterator[Source[Any]]:
    """The source, opened."""
    with opened(NotesSource(NotesSettings(notes_file=str(notes)))) as source:
        yield source


def test_a_full_run_reads_everything_in_order(source: Source[Any]) -> None:
    """Every note comes with its values unchanged; a decimal is typed, so that it stays exact."""
    assert pull(source).entities == [
        {"_id": "1", "_updated": 7, "price": "~f1.10", "text": "blåbær"},
        {"_id": "2", "_updated": 9, "count": 100000000000000000001},
        {"_id": "3", "_updated": 9},
        {"_id": "1", "_updated": 12, "_deleted": True},
    ]


def test_a_later_run_reads_what_has_changed(source: Source[Any]) -> None:
    """From the hub's ``since`` on, and what was deleted is said to be gone."""
    changed = pull(source, since=10).entities

    assert changed == [{"_id": "1", "_updated": 12, "_deleted": True}]


def test_notes_of_one_moment_are_not_parted(source: Source[Any]) -> None:
    """A run that failed between two notes of the same ``_updated`` loses neither."""
    assert [note["_id"] for note in pull(source, since=9).entities] == ["2", "3", "1"]


def test_the_source_is_what_the_pipe_says(source: Source[Any]) -> None:
    """Read since any note, or by pages of any size, it gives the hub everything."""
    prove_capabilities(source)


@pytest.mark.parametrize("line", ["[1]", '{"_id": "4"}', '{"_updated": 13}', FIRST])
def test_a_line_that_is_no_next_note_fails_the_run(
    source: Source[Any], notes: Path, line: str
) -> None:
    """Without ``_id`` or ``_updated``, or older than the one before: less would look like all."""
    with notes.open("a", encoding="utf-8") as file:
        file.write(line + "\n")

    assert pull(source).status == 500


def test_a_line_that_is_cut_off_fails_the_run(source: Source[Any], notes: Path) -> None:
    """The error comes out of ``pull`` as it is; the hub is answered 500."""
    with notes.open("a", encoding="utf-8") as file:
        file.write(DELETED[:20])

    with pytest.raises(json.JSONDecodeError):
        pull(source)


def test_an_empty_file_deletes_nothing(source: Source[Any], notes: Path) -> None:
    """The hub takes what a full run does not give it for deleted: nothing at all is an error."""
    notes.write_text("")

    assert pull(source).status == 502
    assert pull(source, since=12).entities == []


def test_a_file_that_is_away_is_asked_for_again(source: Source[Any], notes: Path) -> None:
    """The hub waits and tries again."""
    notes.unlink()

    assert pull(source).status == 503


def test_the_process_answers_and_ends_on_sigterm(notes: Path) -> None:
    """The connector as the image runs it: it answers, and stops when the node says so."""
    with running("{{ cookiecutter.package_name }}", NOTES_FILE=str(notes)) as connector:
        status, body = connector.get("/?since=10&limit=5")

        assert status == 200
        assert json.loads(body, parse_float=Decimal) == [json.loads(DELETED)]
