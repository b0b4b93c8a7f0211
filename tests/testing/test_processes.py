"""A connector under test runs as in its image, and what it logs is shown when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesam_connector_sdk.testing import running

CONNECTOR = """
import sys
from sesam_connector_sdk import Settings, Transform, serve

class Noted(Settings):
    exit_code: int

class Same(Transform[Noted]):
    def transform(self, entity):
        return entity

    def close(self):
        if self.settings.exit_code:
            print("CANARY-log", flush=True)
            sys.exit(self.settings.exit_code)

serve(Same)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that serves a transform, in the folder that the test runs in."""
    (tmp_path / "same_again.py").write_text(CONNECTOR)
    monkeypatch.chdir(tmp_path)
    return "same_again"


def test_a_running_connector_answers_on_a_real_socket(module: str) -> None:
    """Requests of both kinds reach it, and nothing of it is left behind the block."""
    with running(module, EXIT_CODE="0") as connector:
        assert connector.post(b'[{"_id":"1"}]') == (200, b'[{"_id":"1"}]')
        assert connector.post(b"{}")[0] == 400
        assert connector.get("/healthz")[0] == 200

    with pytest.raises(ConnectionRefusedError):
        connector.get("/healthz")


def test_a_connector_that_does_not_start_shows_why(module: str) -> None:
    """The message has what it logged."""
    expected = pytest.raises(AssertionError, match=r"ended with 2:\nEXIT_CODE is not set")

    with expected, running(module):
        pass


def test_a_connector_that_does_not_end_well_fails_the_test(module: str) -> None:
    """An exit code other than 0 is not passed over, and the log is shown."""
    expected = pytest.raises(AssertionError, match=r"ended with 3:(?s:.*)CANARY-log")

    with expected, running(module, EXIT_CODE="3"):
        pass


def test_a_failing_test_stops_the_connector(module: str) -> None:
    """An error inside the block comes out as it is, and the process is gone."""
    with pytest.raises(ZeroDivisionError), running(module, EXIT_CODE="0") as connector:
        raise ZeroDivisionError

    with pytest.raises(ConnectionRefusedError):
        connector.get("/healthz")
