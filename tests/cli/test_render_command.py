"""``sesam-connector render``: the documents of the code, as JSON on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sesam_connector_sdk.cli import main
from sesam_connector_sdk.nodeconfig import rendering
from tests.notes import NotesSink

NAMED = "tests.notes:NotesSink"


@pytest.fixture(autouse=True)
def _beside_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


def test_the_system_is_printed() -> None:
    """The document is the one of ``rendering``."""
    arguments = ["render", "system", NAMED, "--id", "notes", "--image", "me/notes:1"]
    result = CliRunner().invoke(main, [*arguments, "--port", "5001"])

    assert result.exit_code == 0
    assert json.loads(result.stdout) == rendering.system(
        NotesSink, system_id="notes", image="me/notes:1", port=5001
    )


def test_the_pipe_is_printed() -> None:
    """The document is the one of ``rendering``."""
    arguments = ["render", "pipe", NAMED, "--id", "notes-pipe", "--system", "notes"]
    result = CliRunner().invoke(main, [*arguments, "--dataset", "all-notes"])

    assert result.exit_code == 0
    assert json.loads(result.stdout) == rendering.pipe(
        NotesSink, pipe_id="notes-pipe", system_id="notes", dataset="all-notes"
    )


def test_a_class_that_is_not_there_is_named() -> None:
    """Exit code 2 and a line that says which module has no such class."""
    arguments = ["render", "pipe", "tests.notes:Nobody", "--id", "a", "--system", "b"]
    result = CliRunner().invoke(main, [*arguments, "--dataset", "c"])

    assert result.exit_code == 2
    assert result.stderr == "tests.notes:Nobody: the module tests.notes has no Nobody\n"


def test_a_dataset_that_is_missing_is_said() -> None:
    """Exit code 2 and a line that says what the pipe needs."""
    result = CliRunner().invoke(main, ["render", "pipe", NAMED, "--id", "a", "--system", "b"])

    assert result.exit_code == 2
    assert result.stderr == f"{NAMED}: NotesSink is no source: say which dataset its pipe reads\n"
