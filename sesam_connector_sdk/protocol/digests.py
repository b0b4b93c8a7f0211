"""A set of 64-bit numbers in a tenth of the memory that Python's own takes. Imports nothing."""

from __future__ import annotations

from array import array

_BITS = 0xFFFF_FFFF_FFFF_FFFF


class Digests:
    """A set of digests of texts, in 12 to 24 bytes each. For one thread at a time.

    Made for ``hash(text)``, which is spread over 64 bits and keyed anew in each process. Two texts
    with one digest count as one, which for a million texts happens once in 37 million times.
    """

    def __init__(self) -> None:
        # Open addressing: a digest stands at its place, or at the next one that was free.
        self._places = array("Q", [0]) * 1024
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, digest: int) -> bool:
        return bool(self._places[self._place(digest)])

    def add(self, digest: int) -> None:
        """Add one; nothing happens if it is there."""
        place = self._place(digest)
        if not self._places[place]:
            self._places[place] = _nonzero(digest)
            self._count += 1
            if self._count * 3 > len(self._places) * 2:
                self._grow()

    def _place(self, digest: int) -> int:
        """Where a digest is, or where it belongs."""
        wanted, last = _nonzero(digest), len(self._places) - 1
        place = wanted & last
        while (found := self._places[place]) and found != wanted:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        before = self._places
        self._places = array("Q", [0]) * (2 * len(before))
        for digest in before:
            if digest:
                self._places[self._place(digest)] = digest


def _nonzero(digest: int) -> int:
    """The digest as an unsigned number; zero stands for a place that is free."""
    return digest & _BITS or 1
