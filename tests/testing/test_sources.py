"""What an author's tests pull is what the hub would read, a broken transfer shown as one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sesam_connector_sdk import IntegerSince, PullRequest, TimestampSince
from sesam_connector_sdk.testing import opened, pull
from tests.sources import Table, Whole, rows


def test_a_pull_gives_the_entities() -> None:
    """As JSON has them, numbers exact."""
    source = Whole([{"_id": "1", "x": 10**30, "y": Decimal("1.10")}])

    with opened(source):
        answer = pull(source)

    assert answer.accepted
    assert answer.status == 200
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.entities == [{"_id": "1", "x": 10**30, "y": "~f1.10"}]


def test_a_pull_carries_what_the_hub_asks() -> None:
    """``since`` in either form, the limit, the subset, the path, the query and the headers."""

    class Routed(Table):
        route = "/rows/{table}"
        has_subsets = True

    source = Routed(rows(1, 2, 3))

    answer = pull(
        source,
        since=1,
        limit=1,
        subset=["eq", "_S.a", "é&"],
        path="/rows/x y",
        query={"a": "b&c", "limit": "9"},
        headers={"X-Token": "t"},
    )

    assert [each["_id"] for each in answer.entities] == ["1"]
    request = source.requests[0]
    assert isinstance(request, PullRequest)
    assert (request.since, request.limit, request.subset) == (1, 1, ["eq", "_S.a", "é&"])
    assert (request.fields, request.query) == ({"table": "x y"}, {"a": "b&c"})
    assert request.headers["x-token"] == "t"


def test_a_since_may_be_what_read_yields() -> None:
    """Or what an earlier answer had."""

    class Moments(Table):
        since = TimestampSince()

    source = Moments()
    text = "~t2020-01-01T00:00:00.000000Z"

    assert pull(source, since=TimestampSince().decode(text)).accepted
    assert pull(source, since=text).accepted
    assert source.requests[0] == source.requests[1] or (
        source.requests[0].since == source.requests[1].since
    )


def test_an_error_is_an_answer_without_entities() -> None:
    """With its status and document; the entities say why there are none."""
    answer = pull(Table(rows(1), ConnectionError("CANARY")))

    assert (answer.status, answer.accepted) == (503, False)
    assert answer.document["type"] == "urn:sesam-connector:target-unavailable"
    with pytest.raises(AssertionError, match="not available"):
        _ = answer.entities


def test_a_broken_transfer_is_shown_as_one() -> None:
    """Nobody takes the half for the whole. Seen to fail when the half is decoded."""
    large = [{"_id": "1", "_updated": 1, "text": "x" * 100_000}]
    table = Table(large, ValueError("in the middle"))

    answer = pull(table)

    assert (answer.status, answer.accepted) == (200, False)
    assert isinstance(answer.broken, ValueError)
    assert answer.body.startswith(b'[{"_id":"1"')
    assert not answer.body.endswith(b"]")
    with pytest.raises(AssertionError, match="broken off") as caught:
        _ = answer.entities
    assert caught.value.__cause__ is answer.broken
    assert table.closed == 1


def test_a_bug_comes_out_as_the_exception_it_is() -> None:
    """A test shows the traceback, not a 500."""
    with pytest.raises(ValueError, match="CANARY"):
        pull(Table(rows(1), ValueError("CANARY")))


def test_a_codec_is_not_asked_about_a_text() -> None:
    """A test can send what the hub should not."""
    assert isinstance(Table.since, IntegerSince)
    assert pull(Table(), since="x").status == 400
