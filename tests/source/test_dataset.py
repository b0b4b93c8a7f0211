"""What a source tells of its dataset stands in the headers that the hub knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sesam_connector_sdk import Dataset, TimestampSince


def test_each_is_sent_as_the_protocol_has_it() -> None:
    """Flags as words, ``_updated`` as JSON in the hub's form, a moment in microseconds."""
    dataset = Dataset(
        populated=True,
        max_updated=datetime(2020, 1, 1, tzinfo=UTC),
        filtered=False,
        generation="3e9a",
        completeness=datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC),
    )

    assert dataset.headers(TimestampSince()) == {
        "X-Dataset-Populated": "true",
        "X-Dataset-Max-Updated": '"~t2020-01-01T00:00:00.000000Z"',
        "X-Dataset-Filtered": "false",
        "X-Dataset-Generation": "3e9a",
        "X-Dataset-Completeness": "1000005",
    }


def test_what_is_not_given_is_not_sent() -> None:
    """None is not false."""
    assert Dataset().headers(None) == {}
    assert Dataset(max_updated=7).headers(None) == {"X-Dataset-Max-Updated": "7"}


@pytest.mark.parametrize(
    "odd",
    [
        {"generation": "a\r\nX-Evil: b"},
        {"generation": ""},
        {"generation": "é"},
        {"max_updated": "é"},
        {"max_updated": 1.5},
        {"completeness": datetime(2020, 1, 1)},
    ],
)
def test_what_cannot_stand_in_a_header_is_a_bug(odd: dict[str, Any]) -> None:
    """No value can forge a second header."""
    with pytest.raises(ValueError, match="needs"):
        Dataset(**odd).headers(None)
