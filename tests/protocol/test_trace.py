"""The header of W3C Trace Context is taken as its specification says, or not at all."""

from __future__ import annotations

import pytest

from sesam_connector_sdk.protocol import TraceParent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f"00-{TRACE}-{PARENT}-00", False),
        (f"00-{TRACE}-{PARENT}-03", True),
        (f"00-{TRACE}-{PARENT}-fe", False),
        (f"01-{TRACE}-{PARENT}-01", True),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", True),
        (f"cc-{TRACE}-{PARENT}-01-", True),
    ],
)
def test_a_valid_header_is_taken(text: str, sampled: bool) -> None:
    """Also one of a version to come, of which only what version 00 has is looked at."""
    assert TraceParent.parse(text) == TraceParent(TRACE, PARENT, sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        TRACE,
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-011",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"0x-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"CC-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0A",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00_{TRACE}_{PARENT}_01",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01 ",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
        f"00-{chr(0x661) * 32}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-\ud800\ud800",
        "00-" + "a" * 100_000,
    ],
)
def test_an_invalid_header_is_no_header(text: str) -> None:
    """Nothing is guessed, and nothing is raised. Seen to fail when upper case is let through."""
    assert TraceParent.parse(text) is None


def test_what_is_handed_on_is_the_same_trace_with_a_new_parent() -> None:
    """In version 00, with the one flag that it knows. Seen to fail when the parent is kept."""
    came = TraceParent.parse(f"cc-{TRACE}-{PARENT}-ff-more")
    assert came

    first, second = (TraceParent.parse(came.handed_on()) for _ in range(2))

    assert first
    assert second
    assert (first.trace_id, first.sampled) == (TRACE, True)
    assert len({PARENT, first.parent_id, second.parent_id}) == 3
    assert came.handed_on().startswith("00-")
    assert came.handed_on().endswith("-01")
    assert TraceParent(TRACE, PARENT, sampled=False).handed_on().endswith("-00")
