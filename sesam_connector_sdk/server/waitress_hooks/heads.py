"""What is refused for its head: whatever two servers could read in two ways.

The rules are those of RFC 9112 (HTTP/1.1), where a server may refuse and a lenient one can be
misled. Imports what waitress takes for a refusal, and nothing of the SDK.
"""

from __future__ import annotations

import re

from waitress.parser import ParsingError

_ONLY_ONCE = (
    *(b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"),
    *(b"authorization", b"expect"),
)
# The hub sends about ten headers.
_MOST_HEADERS = 200
_VERSION = re.compile(rb" HTTP/1\.([01])$")
_TARGET = re.compile(rb"[A-Z]+ (?:/|https?://)[\x21-\x7e\x80-\xff]* |OPTIONS \* ")


def refuse_ambiguous(first: bytes, lines: list[bytes]) -> None:
    """Refuse a head that is not clear.

    Args:
        first: The request line.
        lines: The headers, as they came.

    Raises:
        ParsingError: It is refused; the text names the header, no value.
    """
    minor = _minor_version(first)
    if len(lines) > _MOST_HEADERS:
        # waitress copies the value of a repeated one for each of its lines.
        raise ParsingError(f"There are more than {_MOST_HEADERS} headers.")
    names = [line.split(b":", 1)[0].lower() for line in lines]
    if {b" ", b"\t"} & {line[:1] for line in lines}:
        raise ParsingError("A header is folded over two lines (RFC 9112 section 5.2).")
    if b"_" in b"".join(names):
        raise ParsingError("A header's name has an underscore, which programs confuse with '-'.")
    twice = [name.decode() for name in _ONLY_ONCE if names.count(name) > 1]
    if twice:
        raise ParsingError(f"There twice, or more often: {', '.join(twice)}.")
    if b"transfer-encoding" in names:
        _refuse_odd_coding(minor, names, lines)
    if minor == b"1" and b"host" not in names:
        raise ParsingError("The header Host is missing (RFC 9112 section 3.2).")


def _minor_version(first: bytes) -> bytes:
    version = _VERSION.search(first)
    if not version:
        raise ParsingError("The request line does not end in HTTP/1.0 or HTTP/1.1.")
    if not _TARGET.match(first):
        raise ParsingError("The request target is no path (RFC 9112 section 3.2).")
    return version[1]


def _refuse_odd_coding(minor: bytes, names: list[bytes], lines: list[bytes]) -> None:
    if b"content-length" in names:
        raise ParsingError("Content-Length and Transfer-Encoding are both there.")
    if minor == b"0":
        raise ParsingError("HTTP/1.0 has no Transfer-Encoding.")
    value = lines[names.index(b"transfer-encoding")].partition(b":")[2].strip(b" \t").lower()
    if value != b"chunked":
        raise ParsingError("Transfer-Encoding is something else than chunked.")
