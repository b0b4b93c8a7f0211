"""The numbering of one run's requests: the query parameters of the JSON push protocol.

Knows no HTTP and no entities. Source: Sesam's page ``json-push``, and, for the empty request at the
end, ``custom-data-sink``.
"""

from __future__ import annotations

import uuid


class Sequence:
    """Hands out the parameters of request after request.

    The documentation leaves open what a failed request does to the numbering. Here it has not
    happened: ``previous_request_id`` names the last request that was accepted, and ``is_first``
    stays until one was. A request that is sent again is the same request and keeps its parameters.

    Args:
        full: Whether this is a full sync.

    Attributes:
        id: The run's ``sequence_id``.
        full: The same.
    """

    def __init__(self, *, full: bool) -> None:
        self.id = str(uuid.uuid4())
        self.full = full
        self._numbered = 0
        self._accepted: str | None = None

    def next(self, *, last: bool = False) -> dict[str, str]:
        """The parameters of a new request.

        Args:
            last: Whether it is the empty one at the end.
        """
        self._numbered += 1
        parameters = {
            "sequence_id": self.id,
            "is_full": "true" if self.full else "false",
            "request_id": str(self._numbered),
        }
        if self._accepted is not None:
            parameters["previous_request_id"] = self._accepted
        if self.full and self._accepted is None:
            parameters["is_first"] = "true"
        if self.full and last:
            parameters["is_last"] = "true"
        return parameters

    def accepted(self, parameters: dict[str, str]) -> None:
        """A request was answered 2xx."""
        self._accepted = parameters["request_id"]
