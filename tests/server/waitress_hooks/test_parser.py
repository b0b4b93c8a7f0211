"""What the parser says of a request, in whose words."""

from __future__ import annotations

import pytest
import waitress.adjustments
import waitress.parser

from sesam_connector_sdk.server.waitress_hooks.parser import _QUOTES_NOTHING, StrictParser


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"GET / HTTP/1.0\r\nno colon\r\n", "Invalid header"),
        (b"GET / HTTP/1.0\r\nContent-Length: x\r\n", "Content-Length is invalid"),
        (b"GET a b HTTP/1.0\r\n", "Start line is invalid"),
        (b"GET / \rHTTP/1.0\r\n", "Bare CR or LF found in HTTP message"),
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
