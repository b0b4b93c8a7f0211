"""The header ``traceparent`` of W3C Trace Context (https://www.w3.org/TR/trace-context/).

Imports nothing else of the SDK.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

# Section 3.2.2: lower case only; what follows in a version to come begins with a dash.
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_KNOWN_VERSION = "00"
_FORBIDDEN_VERSION = "ff"
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceParent:
    """Which trace a request belongs to, and what its caller calls itself in it.

    Attributes:
        trace_id: 32 lower-case hexadecimal digits, not all zero.
        parent_id: 16 of them.
        sampled: Whether the caller may have recorded the trace.
    """

    trace_id: str
    parent_id: str
    sampled: bool

    @classmethod
    def parse(cls, text: str) -> TraceParent | None:
        """Read a header's value; None if it is not valid, which is no error of the request.

        Args:
            text: The value. Of a version to come, only what version 00 has is looked at.
        """
        found = _FORM.fullmatch(text)
        if not found:
            return None
        version, trace_id, parent_id, flags, rest = found.groups()
        if version == _FORBIDDEN_VERSION or (version == _KNOWN_VERSION and rest):
            return None
        if not int(trace_id, 16) or not int(parent_id, 16):
            return None
        return cls(trace_id, parent_id, bool(int(flags, 16) & _SAMPLED))

    def handed_on(self) -> str:
        """The value for whom the connector calls: the same trace, a new parent id, version 00."""
        parent_id = secrets.token_hex(8)
        return f"{_KNOWN_VERSION}-{self.trace_id}-{parent_id}-{self.sampled:02x}"
