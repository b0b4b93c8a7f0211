"""P9: what the SDK writes, the hub reads back unchanged.

Whole answers of a source, read by a reader that reads as the hub's parser was seen to. Breaks that
were tried, each on a copy: ``Pull`` that encodes with ``msgspec`` alone; pieces without a comma
between them; an encoder that lets NUL through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sesam_connector_sdk import PullRequest, TimestampSince
from sesam_connector_sdk.testing import pull
from tests import hub_reader
from tests.sources import Whole
from tests.transit.test_encoder import ENTITIES, expected


@settings(max_examples=100)
@given(st.lists(ENTITIES, min_size=1, max_size=4))
def test_what_the_hub_takes_of_an_answer_is_what_the_source_has_yielded(
    entities: list[Mapping[str, Any]],
) -> None:
    """Entities of every kind of value: all of them, equal and in order, or none of the answer."""
    yielded = [{**entity, "_id": str(at)} for at, entity in enumerate(entities)]

    answer = pull(Whole(yielded))

    if answer.accepted:
        assert hub_reader.read(answer.body) == ([expected(each) for each in yielded], True)
    else:
        assert answer.document["type"] == "urn:sesam-connector:unsendable"


def test_a_long_answer_is_read_back_over_all_its_pieces() -> None:
    """Thousands of entities with typed values, in more than one piece."""
    began = datetime(2020, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)

    class Moments(Whole):
        since = TimestampSince()
        is_chronological = True

        def read(self, _request: PullRequest) -> Iterator[Mapping[str, Any]]:
            """Each a little later than the one before it."""
            for at in range(5000):
                moment = began + timedelta(microseconds=at)
                yield {"_id": str(at), "_updated": moment, "price": Decimal(at) / 8, "big": 10**30}

    answer = pull(Moments())
    read, accepted = hub_reader.read(answer.body)

    assert accepted
    assert [each["_id"] for each in read] == [str(at) for at in range(5000)]
    assert [each["_updated"] for each in read] == [
        expected(began + timedelta(microseconds=at)) for at in range(5000)
    ]
    assert [each["price"] for each in read] == [Decimal(at) / 8 for at in range(5000)]
    assert {each["big"] for each in read} == {10**30}
