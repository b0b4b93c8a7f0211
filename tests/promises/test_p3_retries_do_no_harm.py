"""P3: retries do no harm. A target that remembers keys takes each version once, and ends right.

Breaks that were tried, each on a copy: a key that leaves out ``_updated``; one that is the content
alone, without the sequence; one that differs from request to request; a request of a full sync
that is sent again taken for a conflict.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sesam_connector_sdk import Batch, Settings, Sink, TargetUnavailable
from sesam_connector_sdk.testing import opened, push
from tests.rows import SWEEPERS, RowsSettings, RowsSink, held

VERSIONS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("AB")), max_size=12)
AGAIN = st.lists(st.sampled_from(["batch", "singles", "run", "half"]), max_size=8)
"""What the hub sends again after a batch, and whether the batch itself got only half way."""


class Keyed(Sink[Settings]):
    """A target that remembers keys, and takes no version twice; away where it is told to be."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.known: set[str | None] = set()
        self.taken: list[tuple[str, str]] = []
        self.patience = 1_000

    def write(self, batch: Batch) -> None:
        """Take what is new."""
        for count, entity in enumerate(batch):
            if count >= self.patience:
                raise TargetUnavailable
            if entity.key not in self.known:
                self.known.add(entity.key)
                self.taken.append((entity.id, entity.data["value"]))


@settings(max_examples=50)
@given(versions=VERSIONS, size=st.integers(1, 4), again=AGAIN)
@example(versions=[("a", "A"), ("a", "B"), ("a", "A")], size=1, again=["run", "run", "run"])
def test_each_version_is_taken_once_and_in_order(
    versions: list[tuple[str, str]], size: int, again: list[str]
) -> None:
    """Also a value that comes back, and whatever is sent again in between."""
    sink = Keyed()
    source = [
        {"_id": each, "value": value, "_updated": number}
        for number, (each, value) in enumerate(versions)
    ]
    for number, start in enumerate(range(0, len(source), size)):
        batch = source[start : start + size]
        how = again[number] if number < len(again) else ""
        sink.patience = 1 if how == "half" else 1_000
        push(sink, batch)
        sink.patience = 1_000
        repeated = {
            "batch": [batch],
            "half": [batch],
            "singles": [[each] for each in batch],
            "run": [source[: start + size]],
        }
        for entities in repeated.get(how, []):
            assert push(sink, entities).accepted

    assert sink.taken == versions


@settings(max_examples=30)
@given(
    values=st.lists(st.sampled_from("AB"), min_size=1, max_size=6),
    times=st.integers(1, 3),
)
@example(values=["A", "B", "A"], times=2)
def test_without_updated_a_run_is_recognised_and_the_next_one_is_not_swallowed(
    values: list[str], times: int
) -> None:
    """One entity, a value in each run, each request sent several times."""
    sink = Keyed()
    for sequence, value in enumerate(values):
        for number in range(times):
            query = {"sequence_id": f"run-{sequence}", "request_id": str(number)}
            assert push(sink, [{"_id": "a", "value": value}], query=query).accepted

    assert sink.taken == [("a", value) for value in values]


@settings(max_examples=50)
@given(
    kind=st.sampled_from(SWEEPERS),
    source=st.lists(st.sampled_from("abcdef"), unique=True, max_size=6),
    times=st.lists(st.integers(1, 3), min_size=7, max_size=7),
    size=st.integers(1, 3),
)
def test_a_full_sync_whose_requests_come_again_leaves_the_same_rows(
    kind: type[RowsSink], source: list[str], times: list[int], size: int
) -> None:
    """Each request one to three times, also the first and the last one: 200, and the same rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(kind(RowsSettings(notes_file=str(Path(folder, "rows"))))) as sink,
    ):
        push(sink, [{"_id": each} for each in "axy"])
        batches = [source[at : at + size] for at in range(0, len(source), size)]
        for number, batch in enumerate([*batches, []], 1):
            query: dict[str, Any] = {"is_full": "true", "sequence_id": "s", "request_id": number}
            query |= {"is_first": "true"} if number == 1 else {"previous_request_id": number - 1}
            query |= {} if batch else {"is_last": "true"}
            for _ in range(times[number - 1]):
                assert push(sink, [{"_id": each} for each in batch], query=query).accepted

        assert held(sink.settings.notes_file) == sorted(source)
