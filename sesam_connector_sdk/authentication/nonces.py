"""The nonces of the Digest scheme: signed rather than stored, and each count of one used once.

Imports nothing of the SDK.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LIFETIME = 300.0
"""Seconds after which a client has to take a new nonce, which it does by itself."""

_MOST_USED = 4096
# How far behind the highest count another may still come: requests on the way overtake each other.
_WINDOW = 128
_ALL_BITS = (1 << _WINDOW) - 1
_MADE = struct.Struct(">d16s")
_SIGNATURE = 16


@dataclass(slots=True)
class _Use:
    """Which counts of a nonce have been used: the highest, and a bit for each just below."""

    made: float
    highest: int = 0
    seen: int = 0

    def take(self, count: int) -> bool:
        behind = self.highest - count
        if behind < 0:
            # A shift by more than the window would only cost memory.
            self.seen = self.seen << min(-behind, _WINDOW) & _ALL_BITS | 1
            self.highest = count
            return True
        if behind >= _WINDOW or self.seen >> behind & 1:
            return False
        self.seen |= 1 << behind
        return True


class Nonces:
    """Makes nonces and knows its own again, for as long as they live and the process does.

    Only those that somebody has used with the right password are remembered, and no more than a few
    thousand: where there are more, the oldest are declared stale, and their clients take new ones.
    About 1 MB at the most. Safe from any thread.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._used: dict[bytes, _Use] = {}
        self._forgotten = float("-inf")

    def make(self) -> str:
        """A new nonce."""
        made = _MADE.pack(self._clock(), secrets.token_bytes(16))
        return base64.urlsafe_b64encode(made + self._sign(made)).decode()

    def take(self, nonce: str, count: int) -> bool:
        """Use up a count of a nonce, for a request that has proved to know the password.

        Returns:
            False if the nonce is stale: not given by this process, or too long ago; or if its count
            has been used before, or so much higher ones have that nobody knows any more.
        """
        made = self._made(nonce)
        if made is None:
            return False
        moment: float = _MADE.unpack(made)[0]
        if self._clock() - moment > LIFETIME:
            return False
        with self._lock:
            use = self._used.get(made)
            if use is None:
                if moment <= self._forgotten:
                    return False
                self._make_room()
                use = self._used[made] = _Use(moment)
            return use.take(count)

    def _make_room(self) -> None:
        """Forget the older half when there are too many."""
        if len(self._used) < _MOST_USED:
            return
        by_age = sorted(self._used, key=lambda each: self._used[each].made)
        for nonce in by_age[: _MOST_USED // 2]:
            self._forgotten = self._used.pop(nonce).made

    def _made(self, nonce: str) -> bytes | None:
        """The signed part of a nonce, if it was signed here."""
        try:
            raw = base64.urlsafe_b64decode(nonce)
        except ValueError:
            return None
        made, signature = raw[: _MADE.size], raw[_MADE.size :]
        return made if hmac.compare_digest(signature, self._sign(made)) else None

    def _sign(self, made: bytes) -> bytes:
        return hmac.digest(self._key, made, "sha256")[:_SIGNATURE]
