"""A connector under test runs as in its image, and what it logs is shown when it fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sesam_connector_sdk.testing import running
from tests.wire import CANARY, CREDENTIALS, GUARDED, assert_silent

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
            print("going, with 3", flush=True)
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


def test_headers_go_along_and_what_was_said_is_said_again(
    module: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its credentials a request passes; when all is over, pytest has the whole log.

    A word of the payload, and a password, are not in it: every test that runs a connector looks.
    """
    with running(module, EXIT_CODE="0", **GUARDED) as connector:
        entity = b'[{"_id":"1","text":"%b"}]' % CANARY.encode()
        assert connector.post(entity, headers=CREDENTIALS) == (200, entity)
        assert connector.get("/metrics", CREDENTIALS)[0] == 200
        assert [connector.post(entity)[0], connector.get("/metrics")[0]] == [401, 401]

    log = capfd.readouterr().out
    assert re.search(r"listening on (?s:.*) POST / 200 (?s:.*) stopped", log)
    assert_silent(log, "the connector's log")


def test_a_connector_that_does_not_start_shows_why(module: str) -> None:
    """The message has what it logged."""
    expected = pytest.raises(AssertionError, match=r"ended with 2:\nEXIT_CODE is not set")

    with expected, running(module):
        pass


def test_a_connector_that_does_not_end_well_fails_the_test(module: str) -> None:
    """An exit code other than 0 is not passed over, and the log is shown."""
    expected = pytest.raises(AssertionError, match=r"ended with 3:(?s:.*)going, with 3")

    with expected, running(module, EXIT_CODE="3"):
        pass


def test_a_failing_test_stops_the_connector(module: str) -> None:
    """An error inside the block comes out as it is, and the process is gone."""
    with pytest.raises(ZeroDivisionError), running(module, EXIT_CODE="0") as connector:
        raise ZeroDivisionError

    with pytest.raises(ConnectionRefusedError):
        connector.get("/healthz")
