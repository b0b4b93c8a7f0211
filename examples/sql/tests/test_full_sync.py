"""Full syncs: what did not come is deleted at the end, and never before, nor by mistake."""

from __future__ import annotations

from sesam_connector_sdk.testing import opened, pull, push

from sql_connectors import SqlSink, SqlSource

from .support import CANARY, Place, serving

Query = dict[str, str]


def step(number: int, *, sequence: str = "s", last: bool = False) -> Query:
    """The parameters of a full sync's request."""
    query = {"is_full": "true", "sequence_id": sequence, "request_id": str(number)}
    query |= {"is_first": "true"} if number == 1 else {"previous_request_id": str(number - 1)}
    return query | ({"is_last": "true"} if last else {})


def entities(*names: str, updated: int = 1) -> list[dict[str, object]]:
    """Entities of these ids, with a payload that nobody may see."""
    return [{"_id": name, "_updated": updated, "text": CANARY} for name in names]


def test_what_did_not_come_is_deleted_at_the_end(sink: SqlSink, place: Place) -> None:
    """Not before the last request; and whoever reads what has changed hears of it.

    Seen to fail when rows are not stamped, and when the sweep keeps the number.
    """
    push(sink, entities("a", "b", "c", "d"), path=place.path)
    push(sink, entities("a"), path=place.path, query=step(1))
    push(sink, entities("b", "e"), path=place.path, query=step(2))
    assert place.living() == ["a", "b", "c", "d", "e"]
    assert push(sink, [], path=place.path, query=step(3, last=True)).accepted

    assert place.living() == ["a", "b", "e"]
    with opened(SqlSource(place.settings())) as source:
        changed = pull(source, since=1, limit=100, path=place.path).entities
    assert [(each["_id"], each["_deleted"]) for each in changed] == [
        ("e", False),
        ("c", True),
        ("d", True),
    ]


def test_more_than_the_share_is_not_deleted(place: Place) -> None:
    """422, and the deletions are undone; with a larger share the full sync goes through.

    Seen to fail when the guard is asked after the commit.
    """
    with opened(SqlSink(place.settings())) as sink:
        push(sink, entities("a", "b", "c"), path=place.path)
        answer = push(sink, entities("a"), path=place.path, query=step(1, last=True))
        assert (answer.status, answer.document["type"]) == (
            422,
            "urn:sesam-connector:too-many-deletions",
        )
        assert place.living() == ["a", "b", "c"]
    with opened(SqlSink(place.settings(max_deletion_share=0.7))) as sink:
        assert push(sink, entities("a"), path=place.path, query=step(1, last=True)).accepted
        assert place.living() == ["a"]


def test_deleted_rows_do_not_make_the_share_larger(sink: SqlSink, place: Place) -> None:
    """Rows that are deleted already are no part of what the share is of.

    Seen to fail when all rows are counted.
    """
    gone = [{**each, "_deleted": True} for each in entities(*"0123456789")]
    push(sink, [*gone, *entities("a", "b", "c")], path=place.path)
    answer = push(sink, entities("a"), path=place.path, query=step(1, last=True))
    assert answer.status == 422


def test_a_full_sync_writes_what_is_older(sink: SqlSink, place: Place) -> None:
    """Where the hub has begun to count anew, its versions are smaller, and true all the same.

    Seen to fail when a full sync's versions are compared as an incremental request's.
    """
    push(sink, [{"_id": "a", "_updated": 90, "v": "old"}], path=place.path)
    full = [{"_id": "a", "_updated": 1, "v": "new"}]
    assert push(sink, full, path=place.path, query=step(1, last=True)).document["delivered"] == 1
    assert place.rows()["a"]["entity"] == '{"v":"new"}'


def test_within_a_full_sync_an_older_version_still_changes_nothing(
    sink: SqlSink, place: Place
) -> None:
    """What came meanwhile is newer than what the full sync knows, and stays at its end, too.

    Seen to fail when a full sync's versions are not compared at all.
    """
    push(sink, [], path=place.path, query=step(1))
    push(sink, [{"_id": "a", "_updated": 5, "v": "new"}], path=place.path)
    answer = push(sink, [{"_id": "a", "_updated": 4, "v": "old"}], path=place.path, query=step(2))
    assert answer.document == {"delivered": 0, "skipped": 1}
    push(sink, [], path=place.path, query=step(3, last=True))
    assert place.rows()["a"]["entity"] == '{"v":"new"}'
    assert place.living() == ["a"]


def test_a_full_sync_of_what_is_there_changes_nothing_for_readers(
    sink: SqlSink, place: Place
) -> None:
    """Rows are stamped, and keep their numbers."""
    push(sink, entities("a", "b"), path=place.path)
    before = {name: row["changed"] for name, row in place.rows().items()}
    push(sink, entities("a", "b", updated=2), path=place.path, query=step(1, last=True))
    assert {name: row["changed"] for name, row in place.rows().items()} == before


def test_killed_in_the_middle_nothing_is_deleted_and_the_next_one_completes(place: Place) -> None:
    """SIGKILL between two requests: the rest of the sequence is 409, a new one does its work.

    Seen to fail when rows are deleted as a full sync begins.
    """
    with serving(place.variables()) as server:
        assert server.post(place.path, entities("a", "b", "c")).status == 200
        assert server.post(place.path, entities("a"), step(1)).status == 200
        server.kill()
    with serving(place.variables()) as server:
        assert server.post(place.path, entities("b"), step(2)).status == 409
        assert server.post(place.path, [], step(3, last=True)).status == 409
        assert place.living() == ["a", "b", "c"]
        assert server.post(place.path, entities("a", "b"), step(1, sequence="t")).status == 200
        assert place.living() == ["a", "b", "c"]
        assert server.post(place.path, [], step(2, sequence="t", last=True)).status == 200
        assert place.living() == ["a", "b"]
