"""A pipe is pushed as the hub pushes it: batches, parameters, the empty request at the end."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from sesam_connector_sdk import Rejected
from sesam_connector_sdk.hub import End, RequestRecord, push
from tests.hub.targets import (
    ScriptedSink,
    entities,
    fates,
    kinds,
    listening,
    parameters,
    plan,
    run_against,
)


def test_entities_go_out_in_batches_and_an_empty_one_ends_the_run() -> None:
    """Every entity arrives once and in order, in batches of batch_size, then comes ``[]``."""
    sink = ScriptedSink()

    run = run_against(sink, "a", "b", "c", "d", "e")

    assert sink.seen == [["a", "b"], ["c", "d"], ["e"], []]
    assert (kinds(run), fates(run)) == ("b b b f", "ddddd")
    assert [(each.sent, each.delivered) for each in run.ledger.accounts] == [(1, 1)] * 5
    assert run.ok
    assert run.end is End.COMPLETE


def test_a_full_sync_is_marked_at_its_first_and_its_empty_last_request() -> None:
    """The parameters are those of the JSON push protocol."""
    sink = ScriptedSink()

    run = run_against(sink, "a", "b", "c")

    assert [each.push.is_first for each in sink.requests] == [True, False, False]
    assert [each.push.is_last for each in sink.requests] == [False, False, True]
    assert [each.push.is_full for each in sink.requests] == [True] * 3
    assert parameters(run, "request_id") == ["1", "2", "3"]
    assert parameters(run, "previous_request_id") == [None, "1", "2"]
    assert {each.push.sequence_id for each in sink.requests} == {run.sequence_id}
    assert uuid.UUID(run.sequence_id).version == 4


def test_an_incremental_sync_has_no_first_and_no_last() -> None:
    """``is_first`` and ``is_last`` are for full syncs only; the empty batch comes all the same."""
    sink = ScriptedSink()

    run = run_against(sink, "a", "b", "c", incremental=True)

    assert sink.seen == [["a", "b"], ["c"], []]
    assert parameters(run, "is_full") == ["false"] * 3
    assert parameters(run, "is_first") == parameters(run, "is_last") == [None] * 3
    assert parameters(run, "previous_request_id") == [None, "1", "2"]


def test_an_empty_source_is_one_empty_request() -> None:
    """In a full sync it is the first and the last at once."""
    sink = ScriptedSink()

    run = run_against(sink)

    assert sink.seen == [[]]
    assert sink.requests[0].push.is_first
    assert sink.requests[0].push.is_last
    assert run.ok


def test_each_run_is_a_sequence_of_its_own() -> None:
    """Two runs never share a sequence_id."""
    sink = ScriptedSink()

    assert run_against(sink).sequence_id != run_against(sink).sequence_id


def test_the_sinks_batch_size_wins_over_the_pipes() -> None:
    """The sink's own, else the pipe's."""
    sink = ScriptedSink()

    run_against(sink, "a", "b", "c", sink={"batch_size": 3}, batch_size=1)

    assert sink.seen == [["a", "b", "c"], []]


def test_entities_arrive_as_they_were_written() -> None:
    """Numbers keep every digit, text is UTF-8, reserved fields stay."""
    sink = ScriptedSink()
    source = [{"_id": "å", "_deleted": True, "n": Decimal("1.10"), "i": 10**30, "t": "~:a:b"}]

    with listening(sink) as base:
        push(plan(base, source))

    assert sink.taken == [
        '{"_id":"å","_deleted":true,"n":1.10,"i":1000000000000000000000000000000,"t":"~:a:b"}'.encode()
    ]


def test_the_pipes_own_query_and_headers_are_sent_along() -> None:
    """The protocol's parameters are added to the query that the pipe's url has."""
    sink = ScriptedSink()

    run_against(
        sink,
        sink={"url": "x/y?table=a%20b&z=", "headers": {"X-Pipe": "one"}},
        system={"headers": {"X-Pipe": "none", "X-System": "two"}},
    )

    assert sink.requests[0].query == {"table": "a b", "z": ""}
    assert sink.requests[0].headers["x-pipe"] == "one"
    assert sink.requests[0].headers["x-system"] == "two"
    assert sink.requests[0].headers["content-type"] == "application/json"
    assert "not Sesam" in sink.requests[0].headers["user-agent"]


def test_versions_of_one_entity_have_accounts_of_their_own() -> None:
    """The ledger counts entities of the source, not ids."""
    run = run_against(ScriptedSink(), "a", "a", "a")

    assert [(each.position, each.delivered) for each in run.ledger.accounts] == [
        (0, 1),
        (1, 1),
        (2, 1),
    ]


def test_each_request_is_shown_as_soon_as_it_is_answered() -> None:
    """``watch`` gets the records that the run keeps."""
    shown: list[RequestRecord] = []
    with listening(ScriptedSink()) as base:
        run = push(plan(base, entities("a")), watch=shown.append)

    assert shown == run.requests
    assert [(each.entities, each.bytes) for each in shown] == [(1, 13), (0, 2)]


def test_the_connectors_detail_is_kept_short() -> None:
    """Control characters are escaped, and a long text is cut."""
    run = run_against(ScriptedSink([Rejected("bad\n" + "x" * 999)] * 9), "a")

    detail = run.requests[0].answer.detail

    assert detail is not None
    assert detail.startswith("bad\\n")
    assert len(detail) < 400
    assert run.ledger.accounts[0].reason == f"422: {detail}"


@pytest.mark.parametrize("hidden", ["secret-token", "payload"])
def test_a_plan_does_not_show_what_it_sends(hidden: str) -> None:
    """Neither headers nor entities nor the query are in its repr."""
    asked = plan(
        "http://127.0.0.1:1",
        [{"_id": "a", "x": "payload"}],
        sink={"headers": {"Token": "secret-token"}, "url": "/?t=secret-token"},
    )

    assert hidden not in repr(asked)
