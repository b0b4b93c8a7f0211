"""What is refused for its head: whatever two servers could read in two ways.

The rules are those of RFC 9112 (HTTP/1.1), where a server may refuse and a lenient one can be
misled. Each is looked at before waitress reads the head, and in one pass: some of waitress' own
patterns take the square of a line's length, and everybody waits for them. The patterns here never
go back, which is what ``++``, ``*+`` and ``?+`` say; so what they find in a head, waitress' find
straight on, too. Imports what waitress takes for a refusal, and nothing of the SDK.
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
# Of the request line.
LONGEST_FIRST_LINE = 8 * 1024

_VISIBLE = rb"\x21-\x7e\x80-\xff"
_FIRST = re.compile(rb"(?:[A-Z]++ (?:/|https?://)[" + _VISIBLE + rb"]*+|OPTIONS \*) HTTP/1\.([01])")
_VERSION = re.compile(rb" HTTP/1\.[01]\Z")
# Before a value. More have no use, and waitress' pattern tries each with each.
_MOST_BLANKS = 16
_BLANKS = rb"[ \t]{0,%d}+" % _MOST_BLANKS
_VALUE = rb"(?:[" + _VISIBLE + rb"][\t " + _VISIBLE + rb"]*+)?+"
_FIELD = rb"[!#$%&'*+.^`|~0-9A-Za-z-]++:" + _BLANKS + _VALUE + rb"\r\n"
FIELDS = re.compile(rb"(?:" + _FIELD + rb")*+(?:\r\n)?+")
"""Headers or trailers, and the empty line behind them."""
_SPLIT = re.compile(rb"([^:\r]++):[ \t]*+([^\r]*+)\r\n")
# In small letters. A comma may be in a name, but the header would then look like a list.
_HOST = re.compile(
    rb"(?:(?:[a-z0-9._~!$&'()*+;=-]++|%[0-9a-f]{2})*+|\[[0-9a-f:.]++\])(?::[0-9]{0,5}+)?+"
)


def refuse_ambiguous(first: bytes, block: bytes) -> None:
    """Refuse a head that is not clear.

    Args:
        first: The request line.
        block: The headers, as they came, with the end of each line.

    Raises:
        ParsingError: It is refused; the text names the header, no value.
    """
    line = _FIRST.fullmatch(first)
    if not line:
        raise ParsingError(_what_is_wrong_first(first))
    if not FIELDS.fullmatch(block):
        raise ParsingError(_what_is_wrong(block))
    pairs = _SPLIT.findall(block.lower())
    fields: dict[bytes, bytes] = dict(pairs)
    if len(pairs) > _MOST_HEADERS:
        # waitress copies the value of a repeated one for each of its lines.
        raise ParsingError(f"There are more than {_MOST_HEADERS} headers.")
    if len(fields) < len(pairs):
        _refuse_repeated([name for name, _ in pairs])
    if b"transfer-encoding" in fields:
        _refuse_odd_coding(line[1], fields)
    _refuse_odd_host(line[1], fields.get(b"host"))


def _what_is_wrong_first(line: bytes) -> str:
    if not _VERSION.search(line[-len(" HTTP/1.1") :]):
        return "The request line does not end in HTTP/1.0 or HTTP/1.1."
    if line.count(b" ") > 2:
        return "The request line has more than two blanks."
    return "The request target is no path (RFC 9112 section 3.2)."


def _what_is_wrong(block: bytes) -> str:
    lines = block.split(b"\r\n")
    if any(b"\r" in each or b"\n" in each for each in lines):
        return "A header has a CR or an LF that does not end its line."
    if any(each[:1] in (b" ", b"\t") and each for each in lines):
        return "A header is folded over two lines (RFC 9112 section 5.2)."
    if any(b"_" in each.partition(b":")[0] for each in lines):
        return "A header's name has an underscore, which programs confuse with '-'."
    values = [each.partition(b":")[2] for each in lines]
    if any(len(each) - len(each.lstrip(b" \t")) > _MOST_BLANKS for each in values):
        return f"A header has more than {_MOST_BLANKS} blanks before its value."
    return "A header is no name, a colon and a visible value."


def _refuse_repeated(names: list[bytes]) -> None:
    twice = [name.decode() for name in _ONLY_ONCE if names.count(name) > 1]
    if twice:
        raise ParsingError(f"There twice, or more often: {', '.join(twice)}.")


def _refuse_odd_coding(minor: bytes, fields: dict[bytes, bytes]) -> None:
    if b"content-length" in fields:
        raise ParsingError("Content-Length and Transfer-Encoding are both there.")
    if minor == b"0":
        raise ParsingError("HTTP/1.0 has no Transfer-Encoding.")
    if fields[b"transfer-encoding"].rstrip(b" \t") != b"chunked":
        raise ParsingError("Transfer-Encoding is something else than chunked.")


def _refuse_odd_host(minor: bytes, host: bytes | None) -> None:
    if host is None and minor == b"1":
        raise ParsingError("The header Host is missing (RFC 9112 section 3.2).")
    if host is not None and not _HOST.fullmatch(host.rstrip(b" \t")):
        raise ParsingError("The header Host is no host with a port (RFC 9112 section 3.2).")
