"""What a thread does for a request: have it answered, or answer that it is refused.

Of this room it imports ``parser``; of the SDK ``errors``, and how ``web`` logs and renders them.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from sesam_connector_sdk.errors import (
    Bug,
    Busy,
    ConnectorError,
    MalformedRequest,
    TooLarge,
    TransferBrokenError,
)
from sesam_connector_sdk.web import events
from sesam_connector_sdk.web.problems import document

from .parser import NoRoom


class ProblemTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers what never reaches the application with an RFC 9457 document, too."""

    def execute(self) -> None:
        """Write the answer and close the connection."""
        error: Error = self.request.error
        problem = _problem(error)
        body = msgspec.json.encode(problem)
        said = {"status": error.code}
        code = problem["type"].rpartition(":")[2]
        level = logging.WARNING if error.code >= Bug.status else logging.INFO
        events.log(level, f"refused {error.code}", said, code=code, detail=problem["detail"])
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        if isinstance(error, NoRoom):
            self.response_headers.append(("Retry-After", "5"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _problem(error: Error) -> dict[str, Any]:
    kind, detail = _KINDS.get(error.code, (MalformedRequest, error.body))
    return document(kind(detail or error.body), error.code)


_KINDS: dict[int, tuple[type[ConnectorError], str]] = {
    413: (
        TooLarge,
        "The body is too large. Lower the pipe's batch_size, or raise MAX_BODY_BYTES.",
    ),
    414: (MalformedRequest, "The request line is too long. Shorten the pipe's url."),
    431: (MalformedRequest, "The headers are too large. Send fewer or shorter ones."),
    500: (Bug, "The server failed outside the connector; its log holds the details."),
    503: (Busy, ""),
}


class BreakableTask(WSGITask):  # type: ignore[misc]
    """Sends a short answer at once, and breaks one off in the middle without a word in the log."""

    wrote_header = False

    def service(self) -> None:
        """Run the application; see waitress."""
        try:
            super().service()
        except TransferBrokenError:
            # Neither the rest nor the final chunk is written, so the client sees that it is broken.
            self.close_on_finish = True

    def write(self, data: bytes) -> None:
        """Write a piece of the answer; see waitress.

        An answer that is there as a whole goes out with its head: waitress sends each by itself,
        and to send costs more than to make most answers.
        """
        whole = self.complete and not self.wrote_header and self.content_length == len(data)
        if not whole or not self.has_body:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written = len(data)
        self.channel.write_soon(head + data)
