"""An array is written in pieces of a useful size, and closed only if it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.arraywriter import PIECE_BYTES, PIECE_SECONDS, pieces

ITEM = b'{"_id":"1"}'


@given(st.lists(st.sampled_from([b"{}", ITEM, b'{"a":"' + b"x" * PIECE_BYTES + b'"}'])))
def test_what_is_written_is_the_array_of_the_items(items: list[bytes]) -> None:
    """Whatever the sizes; only the last piece ends the array, and none is empty."""
    written = list(pieces(items))

    assert json.loads(b"".join(written)) == [json.loads(item) for item in items]
    assert [piece.endswith(b"]") for piece in written] == [False] * (len(written) - 1) + [True]
    assert all(written)


def test_a_piece_holds_64_kilobytes_and_one_item_at_most() -> None:
    """So that memory does not grow with the array. Seen to fail when only the clock is asked."""
    item = b'{"a":"' + b"x" * 1000 + b'"}'

    sizes = [len(piece) for piece in pieces([item] * 1000, clock=lambda: 0.0)]

    assert max(sizes) <= PIECE_BYTES + len(item) + 100 < 2 * min(sizes[:-1])


def test_what_has_gathered_goes_out_when_its_time_is_over() -> None:
    """The clock begins with each piece. Seen to fail without a clock."""
    now = 0.0

    def slowly() -> Iterator[bytes]:
        nonlocal now
        for seconds in (0.0, PIECE_SECONDS / 2, PIECE_SECONDS / 2, PIECE_SECONDS, 0.0):
            now += seconds
            yield b"{}"

    assert list(pieces(slowly(), clock=lambda: now)) == [b"[{},{},{}", b",{}", b",{}]"]


def test_an_array_whose_items_fail_is_never_closed() -> None:
    """The failure goes on, and no piece ends the array. Seen to fail with ``]`` in a finally."""

    def failing() -> Iterator[bytes]:
        for _ in range(PIECE_BYTES // len(ITEM) + 100):
            yield ITEM
        raise ValueError("in the middle")

    written = pieces(failing())

    assert next(written).startswith(b"[{")
    with pytest.raises(ValueError, match="in the middle"):
        next(written)
    assert list(written) == []


def test_closing_the_pieces_closes_what_makes_the_items() -> None:
    """So that whoever makes them can let go. Seen to fail when the items are not closed."""
    seen = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield ITEM
        except GeneratorExit:
            seen.append("closed")
            raise

    written = pieces(items := endless())
    next(written)
    written.close()  # type: ignore[attr-defined]  # it is a generator

    assert seen == ["closed"]
    assert list(items) == []
