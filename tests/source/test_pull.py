"""What a source's ``read`` yields is checked, cut only where it may be, and let go of."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk import (
    IntegerSince,
    PullParameters,
    PullRequest,
    Source,
    TargetUnavailable,
    TimestampSince,
    UnknownSubset,
)
from sesam_connector_sdk.errors import (
    ConnectorError,
    InconsistentSource,
    InvalidParameter,
    Misuse,
    NothingToRead,
    Unsendable,
)
from sesam_connector_sdk.source import Pull, asked
from tests.sources import Row, Table, Whole, rows


def entities(source: Source[Any], **request: Any) -> list[Any]:
    """What a source's answer holds."""
    found: list[Any] = json.loads(b"[%b]" % b",".join(Pull(source, PullRequest(**request)).items()))
    return found


def numbers(found: list[Any]) -> list[Any]:
    """Their ``_updated``."""
    return [each["_updated"] for each in found]


TIES = st.lists(st.integers(1, 5), max_size=8)
"""How many entities have each ``_updated``, in order."""


@given(ties=TIES, limit=st.integers(1, 9))
def test_pages_are_the_whole_and_no_tie_is_split(ties: list[int], limit: int) -> None:
    """Each page ends between two different ``_updated``, and holds the limit if there is so much.

    Seen to fail when the page ends at the limit, when a page begins at ``since`` and not behind it,
    and when a page goes on for as long as the last page's tie.
    """
    table = Table(rows(*itertools.chain(*([at] * size for at, size in enumerate(ties)))))
    whole = entities(table)
    pages = []
    since = None
    while page := entities(table, limit=limit, since=since):
        pages.append(page)
        since = page[-1]["_updated"]
        assert len(pages) <= len(whole), "the pages do not end"

    assert list(itertools.chain(*pages)) == whole
    for page, following in itertools.pairwise(pages):
        assert page[-1]["_updated"] < following[0]["_updated"]
        assert len(page) >= limit
    for page in pages:
        assert len([each for each in page if each["_updated"] != page[-1]["_updated"]]) < limit
    assert table.closed == len(table.requests)


def test_a_tie_longer_than_the_limit_comes_whole() -> None:
    """More rather than fewer: what is left of it could never be asked for."""
    assert len(entities(Table(rows(*[7] * 100, 8)), limit=1)) == 100


def test_without_a_page_what_is_at_since_comes_again() -> None:
    """A run may have failed between two entities of one moment, so the source begins at it."""
    table = Table(rows(1, 2, 2, 3))

    assert numbers(entities(table, since=2)) == [2, 2, 3]
    assert numbers(entities(table, since=2, limit=5)) == [3]


def test_a_source_without_an_order_ignores_the_limit() -> None:
    """Nobody could ask for the rest. Seen to fail when every source is cut."""

    class Unordered(Whole):
        since = IntegerSince()

    assert numbers(entities(Unordered(rows(3, 1, 2)), limit=1)) == [3, 1, 2]
    assert len(entities(Whole(rows(3, 1, 2)), limit=1)) == 3


def test_an_entity_before_the_one_before_it_ends_the_answer() -> None:
    """The hub would go on from the larger one and never ask for the smaller.

    Seen to fail without the comparison; the answer is then taken for good.
    """
    made = Pull(Table(rows(1, 2, 2, 1, 3)), PullRequest()).items()

    with pytest.raises(
        InconsistentSource, match=r"Item 3 .* is before that of the entity"
    ) as error:
        list(made)
    assert error.value.entities[0].id == "3"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"_id": "x"}, "_updated is missing"),
        ({"_id": "x", "_updated": None}, "_updated is missing"),
        ({"_id": "x", "_updated": "7"}, "_updated is not an int"),
        ({"_id": "x", "_updated": True}, "_updated is not an int"),
        ("x", "is a str and no mapping"),
        (None, "is a NoneType and no mapping"),
    ],
)
def test_an_entity_that_cannot_be_gone_on_from_ends_the_answer(row: Any, fault: str) -> None:
    """Never left out: the hub would take it for deleted."""

    class Yields(Table):
        def read(self, _request: PullRequest) -> Iterator[Any]:
            yield from [*rows(1), row]

    made = Pull(Yields(), PullRequest()).items()

    next(made)
    with pytest.raises(InconsistentSource, match=fault):
        next(made)


@pytest.mark.parametrize(
    "row",
    [
        *({}, {"_id": 1}, {"_id": ""}, {"_id": "x", "a": "~foo"}, [], None),
        *({"_id": "x", "_deleted": 1}, {"_id": "x", "_deleted": "yes"}),
    ],
)
def test_an_entity_that_cannot_be_sent_ends_the_answer(row: Any) -> None:
    """Without a usable ``_id``, or with what the hub would misread; never left out."""
    made = Pull(Whole([{"_id": "1"}, row]), PullRequest()).items()

    next(made)
    with pytest.raises(Unsendable):
        next(made)


def test_small_entities_are_made_together_and_large_ones_alone() -> None:
    """Quicker, without holding more than some of them. Seen to fail when a group only grows."""
    held = []

    class Counted(Whole):
        def read(self, _request: PullRequest) -> Iterator[Any]:
            """Some small, some large."""
            for at in range(200):
                held.append(at)
                yield {"_id": str(at), "text": "x" * (10 if at < 100 else 100_000)}

    made = Pull(Counted(), PullRequest()).items()
    sizes = []
    while item := next(made, b""):
        sizes.append((len(held), item.count(b'"_id"')))
        held.clear()

    assert max(count for _, count in sizes) == 32
    assert [count for _, count in sizes[-50:]] == [1] * 50
    assert all(taken == count for taken, count in sizes)


@pytest.mark.parametrize("kept", [None, [1], {"a": 1}, datetime(2020, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("kind", [Whole, Table])
def test_read_may_yield_one_dict_again_and_again(kind: type[Source[Any]], kept: Any) -> None:
    """Each is sent as it was when it was yielded.

    Seen to fail when what is made together is held as it is: some came several times, and others
    never, and the hub would have deleted those.
    """

    class Sparing(kind):  # type: ignore[misc, valid-type]
        def read(self, _request: PullRequest) -> Iterator[Any]:
            """One dict, changed each time, and what is in it, too."""
            row: dict[str, Any] = {"kept": kept, "list": []} if kept else {}
            for at in range(100):
                row.update(_id=str(at), _updated=at)
                if kept:
                    row["list"].append(at)
                yield row
                row["_id"] = "gone"

    found = entities(Sparing())

    assert [each["_id"] for each in found] == [str(at) for at in range(100)]
    assert [each.get("list", []) for each in found] == [
        list(range(at + 1)) if kept else [] for at in range(100)
    ]


def test_those_made_together_with_one_that_cannot_be_sent_count_up_to_it() -> None:
    """And it is named by its own place, whatever is wrong with it.

    Seen to fail when a group counts as a whole or not at all.
    """
    for wrong in ({"x": "~foo"}, {"x": float("nan")}, {"_updated": 0}, {"_id": "a\0"}):
        made = Pull(
            Table([*rows(*range(1, 41)), {"_id": "x", "_updated": 99, **wrong}, *rows(100)]),
            PullRequest(),
        )
        found: list[bytes] = []

        with pytest.raises(ConnectorError) as caught:
            found.extend(made.items())

        assert made.count == 40
        assert [each.position for each in caught.value.entities] == [40]


def test_slow_entities_are_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """None waits for the next one for long. Seen to fail when only the number counts."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    class Slow(Whole):
        def read(self, _request: PullRequest) -> Iterator[Any]:
            """Each after a while."""
            nonlocal now
            for at in range(20):
                now += 1.0
                yield {"_id": str(at)}

    assert len(list(Pull(Slow(), PullRequest()).items())) == 20


def test_a_text_policy_is_the_sources_own() -> None:
    """``repair`` sends mended what ``strict`` refuses."""

    class Mending(Whole):
        text_policy = "repair"

    with pytest.raises(Unsendable):
        entities(Whole([{"_id": "1", "a": "~foo"}]))
    assert entities(Mending([{"_id": "1", "a": "~foo"}]))[0]["_id"] == "1"


def test_a_read_that_yields_nothing_because_it_never_yields_is_a_bug() -> None:
    """The error names the class, so that whoever forgot ``yield`` finds it in the log.

    Seen to fail when it is left to the loop over the entities.
    """

    class Forgetful(Whole):
        def read(self, request: PullRequest) -> Any:
            rows(request.since or 1)

    with pytest.raises(Misuse, match=r"Forgetful\.read returned NoneType; yield the entities"):
        entities(Forgetful([]))


def test_a_full_read_of_nothing_is_refused() -> None:
    """The hub would delete all that it has. Seen to fail when it is answered ``[]``.

    Nothing since then is normal, and so is nothing at all for a source that says so.
    """
    with pytest.raises(NothingToRead, match="may_be_empty"):
        entities(Whole())

    class Numbered(Whole):
        since = IntegerSince()

    assert entities(Numbered(), since=0) == []
    assert entities(Table()) == []


def test_updated_is_written_as_the_codec_has_it_and_the_authors_entity_is_left_alone() -> None:
    """A moment in the hub's form."""

    class Moments(Whole):
        since = TimestampSince()

    row: Row = {"_id": "1", "_updated": datetime(2020, 1, 1, tzinfo=UTC), "_deleted": True}

    assert entities(Moments([row])) == [
        {"_id": "1", "_updated": "~t2020-01-01T00:00:00.000000Z", "_deleted": True}
    ]
    assert row["_updated"] == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (ConnectionError("CANARY"), TargetUnavailable),
        (ConnectionResetError("CANARY"), TargetUnavailable),
        (SystemExit(3), RuntimeError),
        (ValueError("CANARY"), ValueError),
        (UnknownSubset(), UnknownSubset),
    ],
)
def test_what_read_raises_has_the_class_that_says_its_status(
    error: BaseException, becomes: type[Exception]
) -> None:
    """As what a sink's ``write`` raises."""
    with pytest.raises(becomes) as caught:
        entities(Table(rows(1), error))
    assert "CANARY" not in getattr(caught.value, "detail", "")


def test_what_read_holds_is_let_go_when_the_answer_is_closed() -> None:
    """In the middle, at the limit, after an error, at the end."""
    table = Table(rows(1, 2, 3))

    made = Pull(table, PullRequest()).items()
    next(made)
    made.close()  # type: ignore[attr-defined]  # it is a generator
    assert table.closed == 1
    entities(table, limit=1)
    assert table.closed == 2


def test_a_since_is_decoded_for_read() -> None:
    """And everything else is handed on."""
    pull = PullParameters(since="7", limit=2)

    assert asked(Table(), pull, query={"a": "b"}) == PullRequest(query={"a": "b"}, since=7, limit=2)


@pytest.mark.parametrize(
    ("source", "pull", "error", "hint"),
    [
        (
            Table(),
            PullParameters(since="x"),
            InvalidParameter,
            "since must be a whole number",
        ),
        (Whole(), PullParameters(since="7"), InvalidParameter, "knows no since"),
        (Table(), PullParameters(subset=["x"]), UnknownSubset, "no subsets"),
    ],
)
def test_what_a_source_does_not_know_is_refused(
    source: Source[Any], pull: PullParameters, error: type[ConnectorError], hint: str
) -> None:
    """Never answered with something else than what was asked for."""
    with pytest.raises(error, match=hint):
        asked(source, pull)
