"""One request's part in the full syncs of a sink: the hooks around its ``write``.

Imports this room and ``request``; knows nothing of HTTP.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from array import array
from collections.abc import Iterator
from typing import Any

from sesam_connector_sdk.errors import Misuse, printable
from sesam_connector_sdk.protocol import FullSyncState, Position
from sesam_connector_sdk.request import PushRequest

from .base import Sink
from .batch import Batch
from .full_sync import FullSync

_log = logging.getLogger("sesam_connector_sdk.sink")


class Part:
    """What has to be done for full syncs while a request is delivered. See ``part_in_full_sync``.

    Args:
        sink: A sink that sweeps.
        state: The state of the request's path and query.
        request: The request, whose turn it is.
    """

    def __init__(self, sink: Sink[Any], state: FullSyncState, request: PushRequest) -> None:
        self._sink = sink
        self._state = state
        self._request = request
        self._position: Position = state.judge(request.push)
        self.digests: array[int] | None = None
        self.completed = False

    def begin(self, batch: Batch) -> None:
        """Before ``write``: tell the batch which full sync goes on, and the sink if it is new."""
        self.digests = array("q", map(hash, batch.ids()))
        batch.full_sync = self._full_sync()
        if self._position.first and batch.full_sync is not None:
            self._sink.begin_full_sync(batch.full_sync)

    def end(self) -> None:
        """After ``write``: the target has the entities; sweep if this was the last request."""
        self._state.delivered(self._request.push, self.digests or ())
        full_sync = self._full_sync()
        if not self._position.last or full_sync is None:
            return
        if hindrance := self._state.hindrance():
            name = printable(full_sync.id, 60)
            _log.warning("full sync %s ends without deleting anything: %s", name, hindrance)
            return
        unseen = tuple(self._unseen(full_sync))
        self._sink.complete_full_sync(dataclasses.replace(full_sync, unseen=unseen))
        self.completed = True

    def _full_sync(self) -> FullSync | None:
        if self._position.sequence is None:
            return None
        return FullSync(
            id=self._position.sequence,
            fields=self._request.fields,
            query=self._request.query,
            replay=self._position.replay,
            max_deletion_share=self._sink.max_deletion_share,
        )

    def _unseen(self, full_sync: FullSync) -> list[str]:
        """The target's ids that did not come; none if the sink does not list them."""
        if not self._state.keeps_ids:
            return []
        count = 0
        unseen: list[str] = []
        for count, listed in enumerate(self._sink.list_ids(full_sync), 1):  # noqa: B007
            if not isinstance(listed, str):
                raise Misuse(f"list_ids gave a {type(listed).__name__}; an _id is a str")
            if not self._state.came(hash(listed)):
                unseen.append(listed)
        full_sync.guard(len(unseen), of=count)
        return unseen


@contextlib.contextmanager
def part_in_full_sync(sink: Sink[Any], request: PushRequest) -> Iterator[Part | None]:
    """Wait for a request's turn, and keep account of what became of it; None for other sinks.

    Args:
        sink: An opened sink.
        request: What came with the request. What raises in the ``with`` block makes it a failed
            one, and everything else an accepted one.

    Raises:
        FullSyncConflict: It does not continue the full sync that is known here.
        InvalidParameter: It is of a full sync, and does not say which.
        Throttled: Others were at work until the request's deadline.
    """
    if sink.full_syncs is None:
        yield None
        return
    with sink.full_syncs.turn(request) as state:
        part = Part(sink, state, request)
        try:
            yield part
        except BaseException:
            state.failed(request.push, part.digests)
            raise
        state.accepted(request.push, completed=part.completed)
