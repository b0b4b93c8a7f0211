"""What is in the table after the hub has been answered."""

from __future__ import annotations

import pytest
from sesam_connector_sdk.testing import opened, push
from sqlalchemy import Connection

from sql_connectors import SqlSink

from .support import CANARY, Place, assert_silent

EXACT = (
    b'{"_id":"1","_updated":7,"big":123456789012345678901234567890,"price":1.10,"e":1E5,'
    b'"text":"bl\xc3\xa5 \\u00e6 \xf0\x9f\x98\x80","ns:name":"~:ns:x","$ids":["~:a:1"]}'
)


def test_an_entity_is_a_row_with_its_text_as_it_came(sink: SqlSink, place: Place) -> None:
    """Numbers, escapes and names are what the hub sent, to the byte; reserved fields have columns.

    Seen to fail when the entity is decoded and encoded again.
    """
    assert push(sink, b"[" + EXACT + b"]", path=place.path).accepted

    assert place.rows() == {
        "1": {
            "id": "1",
            "updated": 7,
            "deleted": False,
            "entity": "{" + EXACT.decode().partition('"_updated":7,')[2],
            "changed": 1,
            "full_sync": None,
        }
    }


def test_a_later_version_takes_the_place_of_an_earlier_one(sink: SqlSink, place: Place) -> None:
    """Between requests, and within one, where the last one counts and all count as delivered."""
    push(sink, [{"_id": "1", "_updated": 1, "v": "a"}], path=place.path)
    versions = [{"_id": "1", "_updated": n, "v": n} for n in (2, 3)]
    answer = push(sink, versions, path=place.path)

    assert answer.document == {"delivered": 2, "skipped": 0}
    assert place.rows()["1"]["entity"] == '{"v":3}'


def test_a_deleted_entity_stays_as_a_row_that_says_so(sink: SqlSink, place: Place) -> None:
    """Also one that was never there; and one that comes again is there again."""
    push(sink, [{"_id": "1", "_updated": 1}, {"_id": "2", "_updated": 1}], path=place.path)
    gone = [{"_id": each, "_updated": 2, "_deleted": True} for each in ("1", "3")]
    push(sink, gone, path=place.path)
    assert {name: row["deleted"] for name, row in place.rows().items()} == {
        "1": True,
        "2": False,
        "3": True,
    }

    push(sink, [{"_id": "1", "_updated": 3}], path=place.path)
    assert place.living() == ["1", "2"]


@pytest.mark.parametrize("late", [{"v": "old"}, {"_deleted": True}])
def test_an_older_version_that_comes_late_changes_nothing(
    sink: SqlSink, place: Place, late: dict[str, object]
) -> None:
    """It is counted as skipped, and the others of its request are written.

    Seen to fail without `where` in the upsert.
    """
    push(sink, [{"_id": "1", "_updated": 10, "v": "new"}], path=place.path)
    answer = push(
        sink, [{"_id": "1", "_updated": 9, **late}, {"_id": "2", "_updated": 9}], path=place.path
    )

    assert answer.document == {"delivered": 1, "skipped": 1}
    assert place.rows()["1"]["entity"] == '{"v":"new"}'
    assert place.living() == ["1", "2"]


@pytest.mark.parametrize("updated", ["~t2020-01-01T00:00:00Z", None, 2**70, True, 10])
def test_what_cannot_be_compared_is_written(sink: SqlSink, place: Place, updated: object) -> None:
    """Texts have no order that the sink knows; and the same version again is the same again."""
    push(sink, [{"_id": "1", "_updated": 10, "v": 1}], path=place.path)
    assert push(sink, [{"_id": "1", "_updated": updated, "v": 2}], path=place.path).accepted

    assert place.rows()["1"]["entity"] == '{"v":2}'


def test_what_comes_unchanged_keeps_its_number(sink: SqlSink, place: Place) -> None:
    """A request that the hub repeats changes nothing for those who read what has changed.

    Seen to fail when `changed` is always the new number.
    """
    batch = [{"_id": "1", "_updated": 1, "v": 1}, {"_id": "2", "_updated": 1, "v": 1}]
    push(sink, batch, path=place.path)
    first = place.rows()
    push(sink, batch, path=place.path)
    assert place.rows() == first

    push(sink, [{"_id": "2", "_updated": 2, "v": 2}], path=place.path)
    assert [row["changed"] for row in place.rows().values()] == [1, 3]


def test_many_entities_are_written_in_one_transaction(sink: SqlSink, place: Place) -> None:
    """More than a statement holds; all have the same number."""
    batch = [{"_id": f"{n:05}", "_updated": n} for n in range(1_203)]
    assert push(sink, batch, path=place.path).document == {"delivered": 1_203, "skipped": 0}

    rows = place.rows()
    assert list(rows) == [each["_id"] for each in batch]
    assert {row["changed"] for row in rows.values()} == {1}


def test_an_empty_batch_touches_nothing(sink: SqlSink, place: Place) -> None:
    """The hub ends every run with one; there is no transaction for it."""
    push(sink, [{"_id": "1"}], path=place.path)
    assert push(sink, [], path=place.path).accepted
    push(sink, [{"_id": "2"}], path=place.path)
    assert place.rows()["2"]["changed"] == 2


@pytest.mark.parametrize(
    "name", ["other", "sesam_numbers", "NOTES", 'notes"; DROP TABLE notes; --', "notes%00", "%20"]
)
def test_no_other_table_is_touched(sink: SqlSink, place: Place, name: str) -> None:
    """A table that is not listed is answered 403, whatever its name tries."""
    push(sink, [{"_id": "1"}], path=place.path)
    assert push(sink, [{"_id": "2"}], path=f"/{name}").status == 403
    assert list(place.rows()) == ["1"]


def test_values_are_never_part_of_a_statement(sink: SqlSink, place: Place) -> None:
    """Quotes, statements and parameters' marks are what they are: text."""
    nasty = "'); DROP TABLE notes; -- \" :id %s %(id)s ? \\ $1"
    assert push(sink, [{"_id": nasty, nasty: nasty}], path=place.path).accepted
    assert list(place.rows()) == [nasty]


def test_nothing_of_a_refused_batch_is_written(sink: SqlSink, place: Place) -> None:
    """The database refuses one of 600 entities; alone, it is named, and the others go through.

    Seen to fail when each group of rows is a transaction of its own.
    """
    push(sink, [{"_id": "first"}], path=place.path)
    with place.connection() as connection:
        _refuse_bad_ones(connection, place)
    batch = [{"_id": f"{n:03}"} for n in range(600)]
    batch[550]["_id"] = "bad"

    answer = push(sink, batch, path=place.path)
    assert answer.status == 422
    assert list(place.rows()) == ["first"]
    alone = push(sink, [{"_id": "bad", "secret": CANARY}], path=place.path)
    assert (alone.status, alone.rejected_ids) == (422, ["bad"])
    assert_silent(str(alone.document), "the answer")
    assert push(sink, [{"_id": "good"}], path=place.path).accepted
    assert list(place.rows()) == ["first", "good"]


def _refuse_bad_ones(connection: Connection, place: Place) -> None:
    """Give the table a rule, as whoever owns the database may."""
    rule = (
        "ALTER TABLE {table} ADD CHECK (id <> 'bad')"
        if place.is_postgresql
        else "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN NEW.id = 'bad'"
        " BEGIN SELECT RAISE(ABORT, 'bad'); END"
    )
    connection.execute(place.sql(rule))
    connection.commit()


@pytest.mark.parametrize("bad", ["x" * 1001, "å" * 501, "a\0b"])
def test_an_id_that_no_index_holds_is_refused_alone(sink: SqlSink, place: Place, bad: str) -> None:
    """An `_id` of more than 1000 bytes, and on PostgreSQL one with a NUL."""
    if bad == "a\0b" and not place.is_postgresql:
        assert push(sink, [{"_id": bad}], path=place.path).accepted
        return
    assert push(sink, [{"_id": "1"}, {"_id": bad}], path=place.path).status == 422
    alone = push(sink, [{"_id": bad}], path=place.path)
    assert [each["position"] for each in alone.document["entities"]] == [0]
    assert push(sink, [{"_id": "å" * 500}], path=place.path).accepted
    assert list(place.rows()) == ["å" * 500]


def test_a_table_of_another_shape_is_said_to_be_one(place: Place) -> None:
    """A table that is there already, without the columns: no success, and none of our bugs."""
    with place.connection() as connection:
        connection.execute(place.sql("CREATE TABLE {table} (id text)"))
        connection.commit()
    with opened(SqlSink(place.settings())) as sink:
        answer = push(sink, [{"_id": "1"}], path=place.path)
    assert answer.status in (502, 503)
