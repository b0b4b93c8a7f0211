"""Writes a JSON array in pieces of a useful size, as its items come.

Knows bytes only: what the items mean belongs to those who make them. Imports nothing of the SDK.
The brackets are this module's alone. Whoever makes the items cannot close the array, so an array
that is closed is whole.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

ItemsT = TypeVar("ItemsT", bound=Iterable[Any])

PIECE_BYTES = 64 * 1024
"""A piece is written once it holds this much: each costs the server one call to the system."""

PIECE_SECONDS = 0.05
"""Or once an item comes so long after the piece was begun, so that slow makers show life."""


def pieces(
    items: Iterable[bytes], *, clock: Callable[[], float] = time.monotonic
) -> Iterator[bytes]:
    """A JSON array, in pieces that are never empty.

    If ``items`` raises, the exception goes on and the array is never closed. Closing this
    generator closes ``items``.

    Args:
        items: Each a JSON object in UTF-8.
        clock: Says the time in seconds.

    Yields:
        What belongs together. The last piece, and no other, ends in ``]``.
    """
    with closing(items):
        lead, gathered, size, began = b"[", list[bytes](), 0, clock()
        for item in items:
            gathered.append(item)
            size += len(item)
            if size >= PIECE_BYTES or clock() - began >= PIECE_SECONDS:
                yield lead + b",".join(gathered)
                gathered.clear()
                lead, size, began = b",", 0, clock()
        yield (lead if gathered or lead == b"[" else b"") + b",".join(gathered) + b"]"


@contextlib.contextmanager
def closing(items: ItemsT) -> Iterator[ItemsT]:
    """Close an iterable at the end of a ``with`` block, if it can be closed: a list cannot."""
    try:
        yield items
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
