"""What the parser says of a request, in whose words."""

from __future__ import annotations

import pytest
import waitress.adjustments
import waitress.parser

from sesam_connector_sdk.server.waitress_hooks.parser import _QUOTES_NOTHING, StrictParser
from tests.server.test_hostile_requests import OF_SQUARES


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"GET / HTTP/1.0\r\nContent-Length: x\r\n", "Content-Length is invalid"),
        (b"GET http://\xe9/ HTTP/1.0\r\n", "Bad URI"),
    ],
)
def test_waitress_words_its_refusals_as_known(block: bytes, text: str) -> None:
    """Those that quote nothing are passed on; new texts are not, so this only says what is lost."""
    parser = waitress.parser.HTTPRequestParser(waitress.adjustments.Adjustments())

    with pytest.raises(waitress.parser.ParsingError) as caught:
        parser.parse_header(block)
    assert str(caught.value) == text
    assert text in _QUOTES_NOTHING


def test_waitress_quotes_a_header_in_some_refusals() -> None:
    """Which is why its texts are not passed on unseen; a value is a secret now and then."""
    parser = waitress.parser.HTTPRequestParser(waitress.adjustments.Adjustments())

    with pytest.raises(waitress.parser.ParsingError, match="CANARY"):
        parser.parse_header(b"GET / HTTP/1.0\r\nAuthorization: CANARY\n\r\n")


def test_a_request_that_was_never_read_has_a_path() -> None:
    """Waitress logs it when the client is gone by then. Seen to fail without the attribute."""
    assert StrictParser(waitress.adjustments.Adjustments()).path == ""


@pytest.mark.parametrize("sent", OF_SQUARES)
def test_what_takes_the_square_of_a_line_never_sees_it(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waitress' patterns for the request line and for headers, which run while nobody else does.

    Seen to fail when waitress reads the head before it is refused.
    """
    seen: list[bytes] = []
    monkeypatch.setattr(
        waitress.parser.HTTPRequestParser, "parse_header", lambda _self, head: seen.append(head)
    )
    parser = StrictParser(waitress.adjustments.Adjustments())

    parser.received(sent)

    assert parser.error is not None
    assert parser.error.code in (400, 414)
    assert seen == []


def test_a_head_at_its_limits_is_read() -> None:
    """With as many blanks before a value, headers and bytes of a target as may be."""
    head = b"GET http://" + b"1" * 8_000 + b" HTTP/1.0\r\n"
    head += b"".join(b"X:" + b" " * 16 + b"a " * 40 + b"b\r\n" for _ in range(200))
    parser = StrictParser(waitress.adjustments.Adjustments())

    parser.received(head + b"\r\n")

    assert parser.error is None
    assert len(parser.headers["X"]) == 83 * 200 - 2


def test_a_head_that_came_in_pieces_is_not_kept() -> None:
    """Once it has been read, or refused, while its body or a thread is awaited.

    Seen to fail when the pieces stay.
    """
    for line in (b"Content-Length: 5\r\n", b"no colon\r\n"):
        parser = StrictParser(waitress.adjustments.Adjustments())
        parser.received(b"GET / HTTP/1.0\r\nX: " + b"x" * 10_000)
        parser.received(b"\r\n" + line + b"\r\n")

        assert parser.headers_finished
        assert parser.header_plus == b""
