"""The circumstances of one request: where it goes, where it stands, how long it may take.

Imports ``protocol`` only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sesam_connector_sdk.protocol import PushParameters


@dataclass(frozen=True, slots=True)
class Request:
    """What came with a request, beside its body.

    Attributes:
        fields: The fields of the connector's route: ``{"queue": "my_queue"}``.
        query: The pipe's own query parameters, without those of the protocol.
        headers: Request headers, names in lower case.
        pipe: What the pipe calls itself in the query parameter ``pipe_id``, or None: the hub itself
            does not say it.
        traceparent: For the request's target: the value of a header ``traceparent`` that makes what
            the target does part of the same trace. None where the request came without a valid one.
        deadline: When the request must be answered, on the clock of ``time.monotonic``, in seconds.
    """

    # Headers may carry credentials and a query may too: none of them in a repr.
    fields: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    pipe: str | None = None
    traceparent: str | None = None
    deadline: float = float("inf")

    def remaining(self) -> float:
        """Seconds left until the deadline; never below zero."""
        return max(0.0, self.deadline - time.monotonic())


@dataclass(frozen=True, slots=True)
class PushRequest(Request):
    """What came with a batch for a sink.

    Attributes:
        push: The parameters of the JSON push protocol.
    """

    push: PushParameters = field(default_factory=PushParameters)


@dataclass(frozen=True, slots=True)
class PullRequest(Request):
    """What the hub asks of a source.

    Attributes:
        since: The value up to which the hub has everything, as the source's codec decodes it: a
            ``datetime``, an int, a tuple. None asks for everything there is: a full read.
        limit: How many entities the hub wants at most, or None. The SDK heeds it.
        subset: The expression of a subset, a list such as ``["eq", "_S.category", "tank"]``, or
            None for all.
    """

    since: Any = None
    limit: int | None = None
    subset: list[Any] | None = None
