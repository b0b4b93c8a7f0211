"""Every entity of a batch is accounted for; what was not taken is never called delivered."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sesam_connector_sdk import (
    Batch,
    PushParameters,
    PushRequest,
    Rejected,
    Settings,
    Sink,
    TargetUnavailable,
)
from sesam_connector_sdk.body import Limits
from sesam_connector_sdk.errors import MalformedBody, TooLarge
from sesam_connector_sdk.sink.batch import Receipt
from sesam_connector_sdk.testing import push
from tests.notes import NotesSink, ObedientSink
from tests.wire import ids

Write = Callable[[Batch], object]


def batch_of(entities: Any, **limits: int) -> Batch:
    """A validated batch."""
    body = entities if isinstance(entities, bytes) else json.dumps(entities).encode()
    batch = Batch(io.BytesIO(body), limits=Limits(**limits))
    batch.validate()
    return batch


def numbered(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Entities with the ids 0, 1, 2, and so on."""
    return [{"_id": str(number), **fields} for number in range(count)]


MANY = numbered(3_000, text="x" * 300)
"""A body of several chunks."""


ORDERS = ("take", "reject", "fail", "skip")


@pytest.mark.parametrize("orders", list(itertools.product(ORDERS, repeat=3)))
def test_every_mixture_of_outcomes_is_answered_with_the_worst(
    orders: tuple[str, ...], sink: ObedientSink, notes_file: Path
) -> None:
    """A failed entity makes it 503, else a rejected one 422, and the answer names both kinds.

    Retryable beats permanent, so that no good entity is dead-lettered for its neighbour. Seen to
    fail when rejections are looked at first, and when a failure is counted as delivered.
    """
    entities = [{"_id": str(at), "do": order} for at, order in enumerate(orders)]
    named = [str(at) for kind in ("fail", "reject") for at, o in enumerate(orders) if o == kind]

    answer = push(sink, entities)

    expected = 503 if "fail" in orders else 422 if "reject" in orders else 200
    assert answer.status == expected
    assert answer.accepted == (expected == 200)
    assert answer.rejected_ids == named
    assert ids(notes_file) == [str(at) for at, order in enumerate(orders) if order == "take"]
    if expected == 200:
        skipped = orders.count("skip")
        assert answer.document == {"delivered": 3 - skipped, "skipped": skipped}
    else:
        reasons = [each["reason"] for each in answer.document["entities"]]
        assert reasons == [f"it says {orders[int(name)]}" for name in named]
        assert answer.document["entities_total"] == len(named)


def take_all(batch: Batch) -> None:
    """Every entity."""
    for _ in batch:
        pass


def take_twice(batch: Batch) -> None:
    """Every entity, a second time after an early break."""
    for _ in batch:
        break
    take_all(batch)


def take_in_slices(batch: Batch) -> None:
    """Every entity, a hundred at a time."""
    stream = iter(batch)
    while list(itertools.islice(stream, 100)):
        pass


def take_latest(batch: Batch) -> None:
    """The last versions, to the end."""
    for _ in batch.latest():
        pass


def take_until_the_last(batch: Batch) -> None:
    """Every entity, leaving the loop on the last one."""
    for entity in batch:
        if entity.position == len(batch) - 1:
            break


def raise_inside_and_go_on(batch: Batch) -> None:
    """An error on the first pass that the author handles, then a whole pass."""
    try:
        for entity in batch:
            _ = 1 / entity.position
    except ZeroDivisionError:
        take_all(batch)


def take_none(_batch: Batch) -> None:
    """Nothing: a sink whose author forgot."""


def take_one(batch: Batch) -> None:
    """Only the first."""
    for _ in batch:
        break


def take_first_twice(batch: Batch) -> None:
    """The first one, two times: not two entities."""
    take_one(batch)
    take_one(batch)


def swallow_an_error(batch: Batch) -> None:
    """An error in the loop, swallowed."""
    try:
        for entity in batch:
            _ = 1 / (entity.position - 1)
    except ZeroDivisionError:
        pass


def take_the_first_latest(batch: Batch) -> None:
    """Only the first of the last versions."""
    for _ in batch.latest():
        break


def look_at_latest_only(batch: Batch) -> None:
    """Asked for the last versions, and never read one."""
    batch.latest()


def count_only(batch: Batch) -> None:
    """The length is no delivery."""
    assert len(batch)


@pytest.mark.parametrize("entities", [numbered(5), MANY], ids=["one chunk", "several chunks"])
@pytest.mark.parametrize(
    "write",
    [
        take_all,
        take_twice,
        take_in_slices,
        take_latest,
        take_until_the_last,
        raise_inside_and_go_on,
    ],
)
def test_a_write_that_took_every_entity_is_a_delivery(
    write: Write, entities: list[dict[str, Any]]
) -> None:
    """However it went through them."""
    batch = batch_of(entities)
    write(batch)

    assert batch.settle() == Receipt(delivered=len(entities), skipped=0)


@pytest.mark.parametrize("entities", [numbered(5), MANY], ids=["one chunk", "several chunks"])
@pytest.mark.parametrize(
    ("write", "taken"),
    [
        (take_none, 0),
        (take_one, 1),
        (take_first_twice, 1),
        (swallow_an_error, 2),
        (take_the_first_latest, 1),
        (look_at_latest_only, 0),
        (count_only, 0),
    ],
)
def test_a_write_that_took_fewer_is_a_bug_and_never_a_success(
    write: Write, taken: int, entities: list[dict[str, Any]]
) -> None:
    """Entities that were not yielded were not delivered.

    Seen to fail when ``settle`` does not compare, when leaving the loop counts the rest as taken,
    and when ``latest`` counts what it only looks at.
    """
    batch = batch_of(entities)
    write(batch)

    with pytest.raises(RuntimeError, match=f"taking {taken} of {len(entities)} entities"):
        batch.settle()


def test_an_empty_batch_is_a_delivery_of_nothing() -> None:
    """The hub ends every run with one; the sink may do nothing with it."""
    for write in (take_all, take_none, take_latest):
        batch = batch_of([])
        write(batch)
        assert batch.settle() == Receipt(delivered=0, skipped=0)
        assert len(batch) == 0


def test_the_last_version_of_each_id_comes_in_stream_order() -> None:
    """Superseded versions are left out, and count as delivered."""
    versions = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 2), ("a", 3)]
    batch = batch_of([{"_id": name, "_updated": at} for name, at in versions])

    assert [(each.id, each.updated) for each in batch.latest()] == [("c", 1), ("b", 2), ("a", 3)]
    assert batch.settle() == Receipt(delivered=6, skipped=0)


def test_the_last_versions_of_a_large_body_are_found_across_chunks() -> None:
    """The first and the last chunk hold versions of the same entity."""
    batch = batch_of([*MANY, {"_id": "0", "last": True}])

    found = list(batch.latest())

    assert len(found) == len(MANY)
    assert found[-1].data == {"_id": "0", "last": True}
    assert batch.settle().delivered == len(MANY) + 1


def test_a_large_body_is_read_again_from_its_start() -> None:
    """Two passes give the same entities at the same positions, in order."""
    batch = batch_of(MANY)

    passes = [[(each.id, each.position) for each in batch] for _ in range(2)]

    assert passes[0] == passes[1] == [(str(at), at) for at in range(len(MANY))]


def test_one_outcome_is_kept_for_an_entity() -> None:
    """Rejecting an entity twice names it once; a failure outweighs a rejection."""
    batch = batch_of(numbered(1))
    for entity in batch:
        batch.reject(entity, "first")
        batch.reject(entity, "second")

    with pytest.raises(Rejected) as caught:
        batch.settle()
    assert [each.reason for each in caught.value.entities] == ["second"]

    for entity in batch:
        batch.fail(entity, "away")
    with pytest.raises(TargetUnavailable):
        batch.settle()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'[{"_id":"1"},', MalformedBody),
        (b'[{"_id":"1"},7]', MalformedBody),
        (b"[{},7]", MalformedBody),
        (b'[{"_id":"1"},{}]', Rejected),
        (b'[{"_id":"1","x":[[1]]}]', MalformedBody),
        (b'[{"_id":"1"},{"_id":"%b"}]' % (b"x" * 100), TooLarge),
    ],
)
def test_a_body_that_is_wrong_anywhere_delivers_nothing(
    body: bytes, error: type[Exception], sink: ObedientSink, notes_file: Path
) -> None:
    """It is read whole before the author's code sees an entity."""
    with pytest.raises(error):
        batch_of(body, max_entity=99, max_depth=2)
    assert not push(sink, body[:-1] + b",{}" + body[-1:]).accepted
    assert ids(notes_file) == []


def test_a_fault_at_the_end_of_a_large_body_delivers_nothing(
    sink: NotesSink, notes_file: Path
) -> None:
    """Chunks before the fault are not written either. Seen to fail without validation."""
    answer = push(sink, json.dumps(MANY).encode()[:-1] + b",{]")

    assert answer.status == 400
    assert f"item {len(MANY)}" in answer.document["detail"]
    assert ids(notes_file) == []


def test_entities_without_an_id_are_named_across_chunks() -> None:
    """Twenty in the answer, all of them in the count."""
    wrong = [{"text": "x" * 300} for _ in range(1_500)]

    with pytest.raises(Rejected) as caught:
        batch_of([*MANY, *wrong])

    assert [each.position for each in caught.value.entities] == list(range(3_000, 4_500))


def test_a_body_of_nothing_but_wrong_entities_is_not_read_to_its_end() -> None:
    """Naming a million entities would cost more memory than the connector has."""
    with pytest.raises(Rejected) as caught:
        batch_of(b"[" + b"{}," * 500_000 + b"{}]")

    assert 10_000 < len(caught.value.entities) < 200_000


def test_the_repr_of_a_batch_has_no_payload() -> None:
    """Only how many entities it holds."""
    assert repr(batch_of([{"_id": "CANARY"}])) == "<Batch of 1 entities>"


def test_a_request_shows_neither_headers_nor_query() -> None:
    """Both may carry credentials."""
    request = PushRequest(headers={"authorization": "CANARY"}, query={"token": "CANARY"})

    assert "CANARY" not in repr(request)
    assert request.remaining() == float("inf")
    assert 0 < PushRequest(deadline=time.monotonic() + 60).remaining() <= 60
    assert PushRequest(deadline=time.monotonic() - 60).remaining() == 0.0


def test_the_key_of_an_entity_knows_the_sequence_of_its_request() -> None:
    """On every pass, and in every chunk."""

    def keys(sequence: str | None, entities: list[dict[str, Any]]) -> Iterator[str | None]:
        body = io.BytesIO(json.dumps(entities).encode())
        batch = Batch(body, PushRequest(push=PushParameters(sequence_id=sequence)))
        batch.validate()
        for _ in range(2):
            yield from (entity.key for entity in batch)

    for entities in (numbered(1), MANY):
        first, second = list(keys("1", entities)), list(keys("2", entities))
        assert None not in first
        assert first[: len(entities)] == first[len(entities) :]
        assert not set(first) & set(second)
        assert set(keys(None, entities)) == {None}


def test_every_pass_gives_the_same_entities(sink: NotesSink) -> None:
    """Also where the body is of many chunks, and each pass reads it anew."""

    class Keeper(Sink[Settings]):
        def write(self, batch: Batch) -> None:
            self.passes = [[(each.position, each.json) for each in batch] for _ in range(3)]

    keeper = Keeper(Settings())
    for entities in (numbered(3), MANY):
        push(keeper, entities)
        assert keeper.passes[0] == keeper.passes[1] == keeper.passes[2]
        assert [position for position, _ in keeper.passes[0]] == list(range(len(entities)))
