"""Log lines: one for each event, whatever text is in it, and no text of an exception."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from sesam_connector_sdk.server import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What a test configures is undone."""
    root, queue = logging.getLogger(), logging.getLogger("waitress.queue")
    handlers, levels = root.handlers[:], (root.level, queue.level)
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    queue.setLevel(levels[1])


def configured() -> logging.Logger:
    """A logger under the process's configuration."""
    logs.configure("INFO")
    return logging.getLogger("tests.target")


def test_a_line_has_level_name_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a timestamp: the hub adds one. Below the level, nothing."""
    log = configured()
    log.debug("unseen")
    log.warning("seen %d", 1)

    assert capsys.readouterr() == ("WARNING tests.target: seen 1\n", "")


def test_no_text_forges_a_line_or_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters, line separators and direction marks are escaped, and a line has an end.

    Seen to fail when the formatter leaves the text as it is.
    """
    log = configured()
    log.info("a\nERROR forged\r\x1b[2J\u2028\x85\u202e%s", "\0")
    log.info("x" * 100_000)

    first, second = capsys.readouterr().out.splitlines()
    assert first == ("INFO tests.target: a\\nERROR forged\\r\\x1b[2J\\u2028\\x85\\u202e\\x00")
    assert len(second) == 4000


def test_the_text_of_an_exception_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """Only its class: the text may hold a payload or a secret. Seen to fail with logging's own."""
    log = configured()
    try:
        raise ValueError("CANARY")  # noqa: TRY301  # to have something to log
    except ValueError:
        log.exception("it failed")
    log.error("again", exc_info=KeyError("CANARY"))

    assert capsys.readouterr().out == (
        "ERROR tests.target: it failed\\n(ValueError)\nERROR tests.target: again\\n(KeyError)\n"
    )


def test_a_queue_of_requests_is_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """For each request that waits for a thread, waitress warns."""
    configured()
    logging.getLogger("waitress.queue").warning("Task queue depth is 1")
    logging.getLogger("waitress").warning("something else")

    assert capsys.readouterr().out == "WARNING waitress: something else\n"
