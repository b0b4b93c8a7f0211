"""The message id: by it Service Bus recognises what the hub sends again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from service_bus_emulator import Emulator, faults

from .support import LocalSink, bodies, ids, local, variables

RUN = {"sequence_id": "run-1"}


def version(updated: int | str, **fields: str) -> dict[str, Any]:
    """A version of the entity `a`."""
    return {"_id": "a", "_updated": updated, **fields}


def sent_ids(
    emulator: Emulator, sink: LocalSink, queue: str, *batches: list[dict[str, Any]], **query: str
) -> list[str]:
    """The message ids of some batches, all accepted."""
    before = len(ids(emulator, queue))
    for batch in batches:
        assert sink.post(f"/{queue}", batch, query).status == 200
    return ids(emulator, queue)[before:]


@pytest.fixture
def queue() -> str:
    """One queue for all these tests, which look at what they have sent themselves."""
    return "message-ids"


def test_a_retry_has_the_ids_of_the_first_time(
    emulator: Emulator, here: LocalSink, queue: str
) -> None:
    """The same batch sent twice has the same ids twice.

    Seen to fail when the client chooses the ids, which it does at random.
    """
    batch = [version(1), {"_id": "b", "_updated": 2}]
    assert sent_ids(emulator, here, queue, batch, batch) == ["a@1", "b@2"] * 2


def test_every_version_has_an_id_of_its_own(
    emulator: Emulator, here: LocalSink, queue: str
) -> None:
    """A value that goes A, B, A gives three ids.

    Seen to fail when the id is a hash of the content.
    """
    batch = [version(1, value="A"), version(2, value="B"), version(3, value="A")]
    assert len(set(sent_ids(emulator, here, queue, batch))) == 3


def test_a_version_that_is_text_is_not_the_number(
    emulator: Emulator, here: LocalSink, queue: str
) -> None:
    """`_updated` may be text or number, and `"1"` is not `1`."""
    assert sent_ids(emulator, here, queue, [version(1), version("1")]) == ["a@1", 'a@"1"']


@pytest.mark.parametrize("character", ["x", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\U0001f600"])
def test_an_id_of_128_characters_is_sent_as_it_is(
    emulator: Emulator, here: LocalSink, queue: str, character: str
) -> None:
    """128 characters, of whatever length in bytes, are what Service Bus takes."""
    entity = {"_id": character * 126, "_updated": 1}
    assert sent_ids(emulator, here, queue, [entity]) == [f"{character * 126}@1"]


def test_a_longer_id_is_hashed(emulator: Emulator, here: LocalSink, queue: str) -> None:
    """From 129 characters on the id is a hash of the whole key, still one for each version."""
    entity = {"_id": "x" * 127, "_updated": 1}
    found = sent_ids(emulator, here, queue, [entity], [entity], [{**entity, "_updated": 2}])
    key = "x" * 127 + "@1"
    assert found[:2] == ["sha256:" + hashlib.sha256(key.encode()).hexdigest()] * 2
    assert len(set(found)) == 2


def test_without_updated_the_run_takes_its_place(
    emulator: Emulator, here: LocalSink, queue: str
) -> None:
    """Without `_updated` a retry in one run has the same id, and the next run another one."""
    batch = [{"_id": "a", "value": "A"}]
    found = sent_ids(emulator, here, queue, batch, batch, **RUN)
    (next_run,) = sent_ids(emulator, here, queue, batch, sequence_id="run-2")
    assert found[0] == found[1] != next_run


def test_without_version_and_run_no_id_is_claimed(
    emulator: Emulator, here: LocalSink, queue: str
) -> None:
    """With neither `_updated` nor `sequence_id` nothing is recognised, so nothing is swallowed."""
    batch = [{"_id": "a", "value": "A"}]
    assert len(set(sent_ids(emulator, here, queue, batch, batch))) == 2


def test_duplicate_detection_leaves_each_message_once(emulator: Emulator) -> None:
    """A request is retried whole after part of it arrived, and each message is there once.

    Seen to fail when the client chooses the ids.
    """
    batch = [{"_id": f"r{number}", "_updated": number} for number in range(50)]
    emulator.inject("once", faults.Delay(0.0, times=2))
    emulator.inject("once", faults.QuotaExceeded(times=1))
    with local(variables(emulator, MAX_BATCH_MESSAGES="10")) as sink:
        first = sink.post("/once", batch)
        arrived = len(bodies(emulator, "once"))
        second = sink.post("/once", batch)
    assert (first.status, arrived, second.status) == (503, 20, 200)
    assert ids(emulator, "once") == [f"r{number}@{number}" for number in range(50)]


@pytest.mark.parametrize(("name", "copies"), [("told-once", 1), ("told-twice", 2)])
def test_a_duplicate_behind_a_200_is_dropped_by_duplicate_detection_only(
    emulator: Emulator, here: LocalSink, name: str, copies: int
) -> None:
    """An acknowledgement gets lost, the client sends again: the README's case, both ways.

    Seen to fail when the client chooses the ids.
    """
    emulator.clear_faults(name)  # which also makes the queue
    emulator.inject(name, faults.AcceptThenDrop())
    assert here.post(f"/{name}", [version(1), version(2)]).status == 200
    assert ids(emulator, name) == ["a@1", "a@2"] * copies
