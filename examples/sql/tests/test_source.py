"""What the hub reads of a table, in one piece, since some number, and page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sesam_connector_sdk.testing import opened, prove_capabilities, pull, push

from sql_connectors import SqlSink, SqlSource

from .support import CANARY, Place


@pytest.fixture
def source(place: Place) -> Iterator[SqlSource]:
    """A source for the sink's table, opened."""
    with opened(SqlSource(place.settings())) as made:
        yield made


def ids(entities: list[dict[str, Any]]) -> list[str]:
    """Their ids, in order."""
    return [each["_id"] for each in entities]


def test_what_was_pushed_is_pulled(sink: SqlSink, source: SqlSource, place: Place) -> None:
    """All of an entity but the hub's own reserved fields, numbers exact, the deleted ones too.

    Seen to fail when decimals are decoded as floats.
    """
    body = (
        b'[{"_id":"1","_updated":70,"_hash":"x","big":123456789012345678901234567890,'
        b'"price":1.10,"digits":0.1234567890123456789012345,"day":"~t2020-01-01T00:00:00Z",'
        b'"text":"bl\xc3\xa5 \\u00e6 \xf0\x9f\x98\x80","deep":[{"a":null}]},'
        b'{"_id":"2","_updated":71,"_deleted":true}]'
    )
    assert push(sink, body, path=place.path).accepted

    assert pull(source, path=place.path).entities == [
        {
            "_id": "1",
            "_updated": 1,
            "_deleted": False,
            "big": 123456789012345678901234567890,
            "price": "~f1.10",
            "digits": "~f0.1234567890123456789012345",
            "day": "~t2020-01-01T00:00:00Z",
            "text": "blå æ 😀",
            "deep": [{"a": None}],
        },
        {"_id": "2", "_updated": 1, "_deleted": True},
    ]
    assert Decimal("1.10") == Decimal(pull(source, path=place.path).entities[0]["price"][2:])


def test_only_what_has_changed_is_read_again(
    sink: SqlSink, source: SqlSource, place: Place
) -> None:
    """A change moves a row behind the others; a delete is a change."""
    push(sink, [{"_id": "1"}, {"_id": "2"}], path=place.path)
    push(sink, [{"_id": "3"}], path=place.path)
    push(sink, [{"_id": "1", "_deleted": True}], path=place.path)

    everything = pull(source, path=place.path).entities
    assert [(each["_id"], each["_updated"]) for each in everything] == [
        ("2", 1),
        ("3", 2),
        ("1", 3),
    ]
    changed = pull(source, since=3, path=place.path).entities
    assert changed == [{"_id": "1", "_updated": 3, "_deleted": True}]
    assert pull(source, since=3, limit=1, path=place.path).entities == []


def test_rows_of_one_transaction_are_never_on_two_pages(
    sink: SqlSink, source: SqlSource, place: Place
) -> None:
    """They have one number: a page that ended between them would lose the rest.

    Seen to fail when the query has a LIMIT.
    """
    push(sink, [{"_id": "0"}], path=place.path)
    push(sink, [{"_id": f"a{n:03}"} for n in range(700)], path=place.path)
    push(sink, [{"_id": "b"}], path=place.path)

    first = pull(source, limit=2, path=place.path).entities
    assert len(first) == 701
    assert ids(pull(source, limit=2, since=first[-1]["_updated"], path=place.path).entities) == [
        "b"
    ]


def test_no_page_and_no_since_loses_a_row(sink: SqlSink, source: SqlSource, place: Place) -> None:
    """The SDK's own proof of what the class declares.

    Seen to fail when the query is ordered by id.
    """
    for batch in (["a", "b"], ["c", "d", "e"], ["b"], ["f"], ["a", "f"]):
        push(sink, [{"_id": each, "in": batch} for each in batch], path=place.path)

    prove_capabilities(source, path=place.path)


@pytest.mark.parametrize("since", [2**63, 10**37, -1, -(10**37)])
def test_a_since_that_no_column_holds_is_a_since(
    sink: SqlSink, source: SqlSource, place: Place, since: int
) -> None:
    """Beyond every number there is nothing, and before every number everything."""
    push(sink, [{"_id": "1"}], path=place.path)
    found = pull(source, since=since, path=place.path).entities
    assert ids(found) == ([] if since > 0 else ["1"])


def test_a_table_that_was_never_written_is_not_taken_for_one_that_was_emptied(
    source: SqlSource, place: Place
) -> None:
    """502, for the hub would delete all that it has."""
    assert pull(source, path=place.path).status == 502


def test_all_deleted_is_an_answer(sink: SqlSink, source: SqlSource, place: Place) -> None:
    """The rows are there, and say so."""
    push(sink, [{"_id": "1", "_deleted": True}], path=place.path)
    assert ids(pull(source, path=place.path).entities) == ["1"]


def test_no_other_table_is_read(source: SqlSource, place: Place) -> None:
    """403 for a table that is not listed."""
    assert pull(source, path="/sesam_numbers").status == 403


def test_a_row_that_is_no_json_breaks_the_answer(
    sink: SqlSink, source: SqlSource, place: Place
) -> None:
    """Somebody has spoilt a row: the rest is never taken for all."""
    batch = [{"_id": f"{n:04}", "filling": CANARY * 500} for n in range(100)]
    push(sink, batch, path=place.path)
    with place.connection() as connection:
        connection.execute(place.sql("UPDATE {table} SET entity = '{' WHERE id = '0099'"))
        connection.commit()

    answer = pull(source, path=place.path)
    assert answer.broken is not None
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_a_reader_that_goes_away_leaves_no_connection_behind(sink: SqlSink, place: Place) -> None:
    """With one connection for all, each page that ends early still gets one.

    Seen to fail when `rows` does not close its connection.
    """
    push(sink, [{"_id": "1"}], path=place.path)
    push(sink, [{"_id": f"{n:04}"} for n in range(2_000)], path=place.path)
    narrow = place.settings(pool_size=1, database_timeout=5.0)
    with opened(SqlSource(narrow)) as source:
        for _ in range(3):
            assert len(pull(source, limit=1, path=place.path).entities) == 1
