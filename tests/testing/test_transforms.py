"""What an author's tests have a transform work on comes back as the hub would read it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from sesam_connector_sdk import Entity, Rejected, Request, ServerSettings, Settings, Transform
from sesam_connector_sdk.testing import opened, transform
from tests.transforms import Copy, ObedientTransform


class Small(ObedientTransform):
    """Holds back next to nothing."""

    held_bytes = 1


class Mirror(Transform[Settings]):
    """Keeps the last request."""

    route = "/to/{place}"

    def transform_batch(self, entities: Iterable[Entity], request: Request) -> Iterable[Entity]:
        """Keep what came with the entities."""
        self.request = request
        return entities


def many(order: str) -> list[dict[str, Any]]:
    """So many entities that their answer is several pieces, and one more."""
    return [*({"_id": str(at), "text": "x" * 1000} for at in range(100)), {"_id": "a", "do": order}]


def test_a_transform_gives_the_entities() -> None:
    """As JSON has them, numbers exact."""
    entities = [{"_id": "1", "x": 10**30, "y": Decimal("1.10")}]

    with opened(Copy(Settings())) as copy:
        answer = transform(copy, entities)

    assert (answer.status, answer.accepted, answer.entities) == (200, True, entities)
    assert str(answer.entities[0]["y"]) == "1.10"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_a_batch_carries_path_query_and_headers() -> None:
    """The transform sees them as a request from the hub would show them; bytes as they are."""
    mirror = Mirror(Settings())

    answer = transform(
        mirror, b'[ {"_id": "1" } ]', path="/to/x y", query={"a": "b&c"}, headers={"X-Token": "t"}
    )

    assert answer.body == b'[{"_id": "1" }]'
    assert (mirror.request.fields, mirror.request.query) == ({"place": "x y"}, {"a": "b&c"})
    assert mirror.request.headers["x-token"] == "t"


def test_an_error_is_an_answer_without_entities() -> None:
    """With status, document, and the ids that it names."""
    answer = transform(ObedientTransform(Settings()), [{"_id": "1", "do": "Rejected"}])

    assert (answer.status, answer.accepted, answer.rejected_ids) == (422, False, ["1"])
    with pytest.raises(AssertionError, match="It has no amount"):
        _ = answer.entities


def test_a_bug_comes_out_as_the_exception_it_is() -> None:
    """A test shows the traceback, not a 500."""
    with pytest.raises(ValueError, match="CANARY"):
        transform(ObedientTransform(Settings()), [{"_id": "1", "do": "ValueError"}])


@pytest.mark.parametrize(("order", "kind"), [("ValueError", ValueError), ("Rejected", Rejected)])
def test_a_broken_transfer_shows_what_broke_it(order: str, kind: type[Exception]) -> None:
    """Its status is 200, and still nothing of it counts. Seen to fail if it is taken for whole."""
    answer = transform(Small(Settings()), many(order))

    assert (answer.status, answer.accepted) == (200, False)
    assert isinstance(answer.broken, kind)
    with pytest.raises(AssertionError, match="broken off"):
        _ = answer.entities


def test_limits_can_be_set() -> None:
    """A test can try what its connector does at a limit."""
    small = ServerSettings(max_body_bytes=50, max_entity_bytes=20)

    assert transform(Copy(Settings()), [{"_id": "1" * 20}], settings=small).status == 413
