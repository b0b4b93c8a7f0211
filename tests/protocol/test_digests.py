"""The small set of digests holds exactly what it was given."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.protocol.digests import Digests

NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(NUMBERS), NUMBERS, st.integers(0, 3000))
def test_it_is_a_set(given_: list[int], other: int, many: int) -> None:
    """Also of digests that fall on one place, and of so many that it grows."""
    found = Digests()
    expected = {*given_, *range(0, many * 1024, 1024)}
    for each in [*expected, *given_]:
        found.add(each)

    # Zero and one share a digest: a free place is a zero.
    assert len(found) == len({each or 1 for each in expected})
    assert all(each in found for each in expected)
    assert (other in found) == (other in expected or (other in (0, 1) and bool({0, 1} & expected)))


def test_a_million_take_24_bytes_each_at_most() -> None:
    """Counted when it has just grown, which is when it is emptiest."""
    found = Digests()
    for number in range(700_000):
        found.add(hash(f"entity-{number}"))

    assert len(found) == 700_000
    assert sys.getsizeof(found._places) < 24 * 700_000
