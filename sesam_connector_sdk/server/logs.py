"""Log lines to stdout: one line per event, whatever text is in it.

Imports ``errors`` only.
"""

from __future__ import annotations

import logging
import sys

from sesam_connector_sdk.errors import printable

_LONGEST_LINE = 4000


class _OneLine(logging.Formatter):
    """Escapes control characters, so that no input can forge a line or move the cursor."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line."""
        return printable(super().format(record), _LONGEST_LINE)

    def formatException(self, ei: object) -> str:  # noqa: N802  # the name is logging's
        """Only the class of the exception: its text may hold a payload or a secret."""
        kind = ei[0] if isinstance(ei, tuple) else None
        return f"({getattr(kind, '__name__', 'error')})"


def configure(level: str) -> None:
    """Send all logging of the process to stdout.

    Without timestamps: the hub's log, like Docker's, adds them.

    Args:
        level: Least severe level that is logged.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A closed stdout is no reason to write tracebacks to stderr.
    logging.raiseExceptions = False
    # waitress warns for each request that waits for a thread, which is what a queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
