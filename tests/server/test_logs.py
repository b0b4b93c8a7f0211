"""Log lines: one for each event, whatever text is in it, and no text of an exception."""

from __future__ import annotations

import gc
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from sesam_connector_sdk.server import logs

ALL_OF_UNICODE = "".join(map(chr, range(0x110000)))


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test configures is undone."""
    root, queue = logging.getLogger(), logging.getLogger("waitress.queue")
    handlers, levels = root.handlers[:], (root.level, queue.level)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    root.handlers = []
    yield
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(levels[0])
    queue.setLevel(levels[1])


def configured(log_format: str = "text") -> logging.Logger:
    """A logger under the process's configuration."""
    logs.configure("INFO", log_format)
    return logging.getLogger("tests.target")


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that came, on stdout only."""
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines that came, each of them JSON in ASCII."""
    lines = told(capsys)
    assert all(line.isascii() for line in lines)
    return [json.loads(line) for line in lines]


def test_a_line_has_level_name_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a timestamp: the hub adds one. Below the level, nothing."""
    log = configured()
    log.debug("unseen")
    log.warning("seen %d", 1)

    assert told(capsys) == ["WARNING tests.target: seen 1"]


def test_a_json_line_has_level_name_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    """By their names, without a timestamp either."""
    log = configured("json")
    log.debug("unseen")
    log.warning("seen %d", 1)

    assert objects(capsys) == [{"level": "WARNING", "logger": "tests.target", "message": "seen 1"}]


def test_no_text_forges_a_line_or_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters, line separators and direction marks are escaped, and a line has an end.

    Seen to fail when the formatter leaves the text as it is.
    """
    log = configured()
    log.info("a\nERROR forged\r\x1b[2J\u2028\x85\u202e%s", "\0")
    log.info("x" * 100_000)

    first, second = told(capsys)
    assert first == ("INFO tests.target: a\\nERROR forged\\r\\x1b[2J\\u2028\\x85\\u202e\\x00")
    assert len(second) == 4000


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_all_of_unicode_is_one_line(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Piece by piece, as a message, an argument, a name and a field; in JSON, valid JSON.

    Seen to fail, in JSON, when json.dumps is replaced by a template for the line.
    """
    configured(log_format)
    pieces = [ALL_OF_UNICODE[at : at + 1000] for at in range(0, len(ALL_OF_UNICODE), 1000)]
    for piece in pieces:
        extra = {"connector_fields": {"detail": piece, "ids": [piece]}}
        logging.getLogger(piece).error("%s", piece, extra=extra)

    lines = told(capsys)
    assert len(lines) == len(pieces)
    if log_format == "json":
        for line in lines:
            found = json.loads(line)
            assert found["ids"] == [found["detail"]] == [found["message"]]
            assert len(found["detail"].splitlines()) == 1


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_text_of_an_exception_is_not_logged(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only its class: the text may hold a payload or a secret. Seen to fail with logging's own."""
    log = configured(log_format)
    try:
        raise ValueError("CANARY")  # noqa: TRY301  # to have something to log
    except ValueError:
        log.exception("it failed")
    log.error("again", exc_info=KeyError("CANARY"))
    log.error("none", exc_info=(None, None, None))
    log.error("where", stack_info=True)

    lines = told(capsys)
    assert "CANARY" not in "".join(lines)
    if log_format == "text":
        assert [line.partition(": ")[2] for line in lines] == [
            "it failed (ValueError)",
            "again (KeyError)",
            "none",
            "where",
        ]
    else:
        found = [json.loads(line).get("exception") for line in lines]
        assert found == ["ValueError", "KeyError", None, None]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_message_that_cannot_be_made_has_its_line(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library's mistake loses no event, and its arguments are not shown."""

    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError("CANARY")

    log = configured(log_format)
    log.error("%d of %d", "CANARY")
    log.error("%s", Unspeakable())
    log.error(Unspeakable())

    lines = told(capsys)
    kinds = ["TypeError", "ValueError", "ValueError"]
    for kind, each in zip(kinds, lines, strict=True):
        assert f"a message that cannot be made ({kind})" in each
    assert "CANARY" not in "".join(lines)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_letter_that_the_locale_lacks_loses_no_line(
    log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stdout is ASCII, the letter is escaped. Seen to fail without that: nothing came."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", write_through=True))

    configured(log_format).info("blåbær 漢")

    assert b"bl\\" in raw.getvalue()
    assert raw.getvalue().endswith(b"\n")


def test_what_python_would_print_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning, a thread that fails, an error that nobody can catch: without an exception's text.

    Seen to fail with Python's own hooks, which print a traceback with the text.
    """

    class Stubborn:
        def __del__(self) -> None:
            raise ValueError("CANARY")

    def fail() -> None:
        raise KeyError("CANARY")

    configured("json")
    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    Stubborn()
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logs.configure("INFO", "json")
        warnings.warn("this is old", stacklevel=1)

    found = objects(capsys)
    assert [each["message"].split("\\n")[0].split(": ")[-1] for each in found] == [
        "the thread worker ended (KeyError)",
        "an error that nobody can catch (ValueError)",
        "this is old",
    ]
    assert "CANARY" not in json.dumps(found)


def test_a_queue_of_requests_is_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """For each request that waits for a thread, waitress warns."""
    configured()
    logging.getLogger("waitress.queue").warning("Task queue depth is 1")
    logging.getLogger("waitress").warning("something else")

    assert told(capsys) == ["WARNING waitress: something else"]
