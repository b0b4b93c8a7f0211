"""A body in chunks, however it is cut, and what it may cost."""

from __future__ import annotations

import pytest
from waitress.buffers import OverflowableBuffer

from sesam_connector_sdk.server.waitress_hooks.chunks import Chunks

MEGABYTE = 1024 * 1024
NEXT = b"GET / HTTP/1.1"
BODY = (
    b'5;a=b;c;d="e \\" f"\r\nhello\r\n0000B\r\n over\r\n0\r\n\r\r\n1\r\n!\r\n000\r\n'
    b"A: b\r\nC: \r\n\r\n"
)
DATA = b"hello over\r\n0\r\n\r!"


def chunks() -> Chunks:
    """Of a body that has not begun."""
    return Chunks(OverflowableBuffer(8 * MEGABYTE))


def take(pieces: list[bytes]) -> tuple[Chunks, int]:
    """What is found in pieces that arrive one after the other, and how many bytes belong to it."""
    made, taken = chunks(), 0
    for piece in pieces:
        if made.completed or made.error:
            break
        taken += made.received(piece)
    return made, taken


CUTS = [
    *([BODY[:at], BODY[at:] + NEXT] for at in range(1, len(BODY))),
    [*(bytes([each]) for each in BODY), NEXT],
    [BODY + NEXT],
    *([*(BODY[at : at + n] for at in range(0, len(BODY), n))] for n in (2, 3, 5, 7, 11)),
]


@pytest.mark.parametrize("pieces", CUTS)
def test_a_body_is_the_same_however_it_is_cut(pieces: list[bytes]) -> None:
    """To the byte, and nothing of what follows is taken for it."""
    found, taken = take(pieces)

    assert found.error is None
    assert found.completed
    assert taken == len(BODY)
    assert len(found) == len(DATA)
    assert found.getfile().read() == DATA


@pytest.mark.parametrize("trailers", [b"", b"A: b\r\n"])
def test_a_body_ends_with_the_empty_line_behind_its_trailers(trailers: bytes) -> None:
    """And not before it."""
    found, _ = take([b"1\r\nx\r\n0\r\n" + trailers, b"\r"])
    assert not found.completed

    assert found.received(b"\n" + NEXT) == 1
    assert found.completed


@pytest.mark.parametrize(
    "sent",
    [b"1\n\r\n", b"1\r\nx\n", b"1\r\n\r\r\r\n", b"\r\n", b"0\r\nA: b\n\r\n\r\n", b"1\r\nx\r\n\r\n"],
)
def test_an_ambiguous_line_is_refused_however_it_is_cut(sent: bytes) -> None:
    """With its last byte at the latest."""
    for pieces in ([sent], [bytes([each]) for each in sent]):
        found, _ = take(pieces)
        assert found.error is not None


def test_no_more_of_a_line_is_kept_than_it_may_have() -> None:
    """Every byte that arrives copies what is kept. Seen to fail without that limit."""
    for start in (b"", b"1;a=", b"1\r\nx\r\n2;a=", b"0\r\nA: "):
        found, _ = take([start + b"1" * 10_000, b"1" * 10_000])

        assert found.error is not None
        assert found.error.body == "A line between the chunks is too long."


def test_small_chunks_are_taken_up_to_a_number() -> None:
    """The last one is empty. Each costs time, in which nothing else is done.

    Seen to fail without that limit.
    """
    most, _ = take([b"1\r\nx\r\n" * 10_000, b"0\r\n\r\n"])
    more, _ = take([b"1\r\nx\r\n" * 10_200])

    assert most.completed
    assert most.error is None
    assert more.error is not None
    assert "More than 10000 chunks" in more.error.body


def test_any_number_of_chunks_is_taken_that_hold_something() -> None:
    """Small ones between large ones, too, as of somebody who sends commas by themselves."""
    pair = b"80\r\n" + b"x" * 128 + b"\r\n1\r\n,\r\n"
    found, _ = take([pair * 1_000 for _ in range(30)] + [b"0\r\n\r\n"])

    assert found.completed
    assert found.error is None
    assert len(found) == 129 * 30_000
