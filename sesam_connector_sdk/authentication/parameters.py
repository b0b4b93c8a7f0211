"""Reads the parameters of an ``Authorization`` header (RFC 9110 section 11.2).

Imports nothing of the SDK.
"""

from __future__ import annotations

import re

_PARAMETER = re.compile(
    r"""[ \t]* ([!#$%&'*+.^_`|~0-9A-Za-z-]+) [ \t]*=[ \t]*
    (?: "((?:[^"\\]|\\.)*)" | ([!#$%&'*+.^_`|~0-9A-Za-z/=:-]+) ) [ \t]* (?:,|$)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parameters(text: str) -> dict[str, str] | None:
    """Names in lower case, with their values.

    Args:
        text: Names with a token or a quoted string each, and commas between them.

    Returns:
        None if it is anything else, or if a name is there twice.
    """
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if not match or match[1].lower() in found:
            return None
        quoted = match[2]
        found[match[1].lower()] = match[3] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = match.end()
    return found
