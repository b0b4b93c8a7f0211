"""What a sink is told of a full sync, and where the state of its full syncs lives.

Imports ``protocol``, ``request`` and ``errors``; knows nothing of HTTP, sinks or batches.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sesam_connector_sdk.errors import Throttled, TooManyDeletions
from sesam_connector_sdk.protocol import FullSyncState, Turns
from sesam_connector_sdk.request import PushRequest

MAX_ADDRESSES = 1_000
"""For how many paths and queries a sink keeps the state; the one used longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class FullSync:
    """A full sync that goes on: the hub sends all that its source has, in one sequence of requests.

    Attributes:
        id: Its ``sequence_id``: the stamp for the rows that it brings.
        fields: The fields of the route that its requests have: it is about these rows only.
        query: The pipe's own query parameters, likewise.
        replay: The same request was accepted before, and the hub may not know it.
        unseen: With ``list_ids``, in ``complete_full_sync``: the ids that the target has, and that
            did not come.
        max_deletion_share: The sink's.
    """

    id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    replay: bool = False
    unseen: tuple[str, ...] = field(default=(), repr=False)
    max_deletion_share: float = 0.5

    def guard(self, deletions: int, *, of: int) -> None:
        """Refuse to delete too much. Call it before you delete.

        Args:
            deletions: How many rows would go.
            of: How many rows there are.

        Raises:
            TooManyDeletions: It is more than ``max_deletion_share`` of them.
        """
        if deletions > of * self.max_deletion_share:
            raise TooManyDeletions(
                f"This full sync would delete {deletions} of {of} in the target, more than the"
                f" share of {self.max_deletion_share:g} that max_deletion_share allows. Nothing was"
                " deleted. See whether the source is complete; if it is, raise max_deletion_share"
                " for one run."
            )


@dataclass(slots=True)
class _Address:
    """One path and query: its state, whose turn it is, and how many requests there are."""

    state: FullSyncState
    turns: Turns = field(default_factory=Turns)
    requests: int = 0


class FullSyncs:
    """The full syncs of one sink, one for each path and author's query. Safe across threads.

    Args:
        keeps_ids: Whether to remember which ids came.
    """

    def __init__(self, *, keeps_ids: bool) -> None:
        self._keeps_ids = keeps_ids
        self._lock = threading.Lock()
        self._addresses: OrderedDict[bytes, _Address] = OrderedDict()

    @contextlib.contextmanager
    def turn(self, request: PushRequest) -> Iterator[FullSyncState]:
        """The state for a request, when it is its turn.

        A request of a full sync works alone at its path and query; incremental ones together.

        Raises:
            Throttled: Others were at work until the request's deadline.
        """
        push, seconds = request.push, request.remaining()
        with self._address(request) as address:
            turn = address.turns.take(alone=push.is_full, seconds=seconds)
            with contextlib.ExitStack() as stack:
                try:
                    stack.enter_context(turn)
                except TimeoutError:
                    address.state.failed(push)
                    raise Throttled("Another request of this path and query is at work.") from None
                yield address.state

    @contextlib.contextmanager
    def _address(self, request: PushRequest) -> Iterator[_Address]:
        key = _key(request)
        with self._lock:
            address = self._addresses.pop(key, None) or _Address(
                FullSyncState(keeps_ids=self._keeps_ids)
            )
            self._addresses[key] = address
            address.requests += 1
            self._forget()
        try:
            yield address
        finally:
            with self._lock:
                address.requests -= 1

    def _forget(self) -> None:
        """Let go of the address used longest ago; its full sync, if any, is answered 409."""
        if len(self._addresses) > MAX_ADDRESSES:
            idle = (key for key, each in self._addresses.items() if not each.requests)
            if (oldest := next(idle, None)) is not None:
                del self._addresses[oldest]


def _key(request: PushRequest) -> bytes:
    """Names a path and query in 16 bytes: a query may be long, or hold a token."""
    named = (sorted(request.fields.items()), sorted(request.query.items()))
    return hashlib.blake2b(repr(named).encode("utf-8", "surrogatepass"), digest_size=16).digest()
