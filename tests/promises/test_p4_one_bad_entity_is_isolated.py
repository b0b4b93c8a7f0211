"""P4: one bad entity is isolated and named, and its payload is not shown.

Breaks that were tried, each on a copy: ``Batch.settle`` returning a receipt although an entity was
rejected; the worst class taken as the permanent one; ``EntityProblem.id`` left out of the answer.
"""

from __future__ import annotations

import pytest

from sesam_connector_sdk import Batch, Settings, Sink
from sesam_connector_sdk.hub import push as run_pipe
from sesam_connector_sdk.nodeconfig import rendering
from sesam_connector_sdk.testing import push
from tests.hub.targets import fates, kinds, listening, plan


class Picky(Sink[Settings]):
    """Takes what is not marked, refuses ``bad``, and fails ``late`` twice before it takes it."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.taken: list[str] = []
        self.early = 2

    def write(self, batch: Batch) -> None:
        """Take, refuse or fail each entity as it says."""
        for entity in batch:
            mark = entity.data.get("mark")
            if mark == "bad":
                batch.reject(entity, "it is marked bad")
            elif mark == "late" and self.early:
                self.early -= 1
                batch.fail(entity, "it comes too early")
            else:
                self.taken.append(entity.id)


@pytest.mark.parametrize("bad", [{0}, {4}, {9}, {0, 1}, {2, 7}, set(range(10))])
def test_only_the_bad_are_dead_letters(bad: set[int]) -> None:
    """Wherever they stand in whichever batch, every other entity is in the target."""
    source = [{"_id": str(n), "mark": "bad" if n in bad else "good"} for n in range(10)]
    sink = Picky()

    with listening(sink) as base:
        asked = {
            "system": {"retry_strategy": rendering.retry_strategy()},
            "pump": {**rendering.pump("p"), "max_consecutive_write_errors": 100},
        }
        result = run_pipe(plan(base, source, batch_size=4, **asked), sleep=lambda _seconds: None)

    assert fates(result) == "".join("l" if n in bad else "d" for n in range(10))
    assert {*sink.taken} == {str(n) for n in range(10) if n not in bad}


def test_nothing_good_is_lost_beside_what_only_came_too_early() -> None:
    """Retryable beats permanent: the batch is sent again before anything is set aside."""
    source = [{"_id": "1"}, {"_id": "2", "mark": "late"}, {"_id": "3", "mark": "bad"}]
    sink = Picky()

    with listening(sink) as base:
        asked = {
            "system": {"retry_strategy": rendering.retry_strategy()},
            "pump": rendering.pump("p"),
        }
        result = run_pipe(plan(base, source, batch_size=3, **asked), sleep=lambda _seconds: None)

    assert kinds(result) == "b b+1 b+2 s s s f"
    assert fates(result) == "ddl"
    assert {*sink.taken} == {"1", "2"}


def test_the_answer_names_the_bad_one_and_shows_nothing_of_it() -> None:
    """Its ``_id``, its position and the reason; no value of it."""
    answer = push(Picky(), [{"_id": "1"}, {"_id": "x", "mark": "bad", "name": "CANARY"}])

    assert answer.status == 422
    assert answer.document["entities"] == [
        {"_id": "x", "position": 1, "reason": "it is marked bad"}
    ]
    assert "CANARY" not in str(answer.document)
