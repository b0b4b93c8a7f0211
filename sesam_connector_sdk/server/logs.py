"""Log lines to stdout: one line per event, whatever text is in it.

Imports ``errors`` only.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from typing import Any

from sesam_connector_sdk.errors import printable

_LONGEST_LINE = 4000
_log = logging.getLogger("sesam_connector_sdk.server")


class _TextLines(logging.Formatter):
    """For people. Escapes control characters, so that no input forges a line or moves a cursor."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line."""
        kind = _exception(record)
        text = f"{record.levelname} {record.name}: {_message(record)}"
        return printable(f"{text} ({kind})" if kind else text, _LONGEST_LINE)


class _JsonLines(logging.Formatter):
    """For programs: an object in each line, in ASCII, with the same texts escaped the same way."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line."""
        line = {"level": record.levelname, "logger": record.name, "message": _message(record)}
        line |= getattr(record, "connector_fields", {})
        if kind := _exception(record):
            line["exception"] = kind
        return json.dumps({name: _escaped(value) for name, value in line.items()})


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  # a library's mistake: the event has a line anyway
        return f"a message that cannot be made ({type(error).__name__})"


def _exception(record: logging.LogRecord) -> str:
    """Only the class of the exception: its text may hold a payload or a secret."""
    kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
    return kind.__name__ if kind else ""


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return printable(value, _LONGEST_LINE) if isinstance(value, str) else value


def configure(level: str, log_format: str = "text") -> None:
    """Send all logging of the process to stdout, and what Python would write to stderr as well.

    Without timestamps: the hub's log, like Docker's, adds them.

    Args:
        level: Least severe level that is logged.
        log_format: ``text`` or ``json``.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Or a letter that the locale's encoding lacks would lose the whole line.
        sys.stdout.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A closed stdout is no reason to write tracebacks to stderr.
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    # Python's own hooks print the text of the exception.
    threading.excepthook = _on_thread
    sys.unraisablehook = _on_unraisable
    # waitress warns for each request that waits for a thread, which is what a queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _on_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "?"
    if ended.exc_type is not SystemExit:
        _log.error("the thread %s ended (%s)", name, ended.exc_type.__name__)


def _on_unraisable(found: Any) -> None:
    _log.error("an error that nobody can catch (%s)", found.exc_type.__name__)
