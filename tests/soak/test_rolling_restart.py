"""Replicas are replaced under load, and the queues are compared with what the pipes were told."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.soak.conftest import REPLICAS, UNTIL_TOLD, Stage
from tests.soak.pipes import TEXT, Pusher

pytestmark = pytest.mark.soak

ROUNDS = 3
# Of the first one, to see that it ends by itself. The others are told when they are routed past.
DELAY = "10"


def test_no_request_fails_while_every_replica_is_replaced(stage: Stage) -> None:
    """Every entity is in its queue once and in order; no answer but 200, no connection broken.

    Seen to fail with SHUTDOWN_DELAY=0, with a connector that refuses requests as soon as it is
    not ready, and with one that is ready until its end.
    """
    stage.open([DELAY, *[UNTIL_TOLD] * (REPLICAS - 1)])
    for turn in range(ROUNDS):
        for at in range(REPLICAS):
            stage.replace(at, patient=turn == at == 0)
    stage.finish()

    assert failures(stage) == []
    for pipe in stage.pipes:
        assert versions(stage, pipe) == list(range(pipe.acknowledged))
    assert all(each.served for each in (*stage.ended, *stage.replicas))
    report(stage, f"{len(stage.ended)} replicas replaced")


def test_a_killed_replica_loses_nothing_that_was_accepted(stage: Stage) -> None:
    """The hub sends again what was not answered; what comes twice is never older than before.

    Seen to fail with a sink that answers before it has sent its last batch.
    """
    stage.open([UNTIL_TOLD] * REPLICAS)
    for at in range(REPLICAS):
        stage.kill(at)
    stage.finish()

    for pipe in stage.pipes:
        arrived = versions(stage, pipe)
        assert set(arrived) >= set(range(pipe.acknowledged))
        assert every_entity_only_advances(stage, pipe)
    report(stage, f"{len(stage.ended)} replicas killed")


def messages(stage: Stage, pipe: Pusher) -> list[dict[str, int]]:
    """What is in the pipe's queue, in order; each with the payload that no log may have."""
    found = [json.loads(message.body) for message in stage.emulator.messages(pipe.name)]
    assert {message.pop("text") for message in found} == {TEXT}
    return found


def versions(stage: Stage, pipe: Pusher) -> list[int]:
    """The number of each change in the pipe's queue, in order."""
    return [message["_updated"] for message in messages(stage, pipe)]


def every_entity_only_advances(stage: Stage, pipe: Pusher) -> bool:
    """Whether no version of an entity came after a later one."""
    last: Counter[int] = Counter()
    for message in messages(stage, pipe):
        if message["_updated"] < last[message["_id"]]:
            return False
        last[message["_id"]] = message["_updated"]
    return True


def failures(stage: Stage) -> list[str | None]:
    """Why requests failed, of all pipes."""
    return [
        each.answer.failure for pipe in stage.pipes for each in pipe.records if not each.answer.ok
    ]


def report(stage: Stage, what: str) -> None:
    """Print what has happened."""
    sent = sum(len(pipe.records) for pipe in stage.pipes)
    accepted = sum(pipe.acknowledged for pipe in stage.pipes)
    arrived = sum(len(messages(stage, pipe)) for pipe in stage.pipes)
    why = dict(Counter(failures(stage)))
    print(
        f"\nsoak: {what}; {sent:,} requests, {len(failures(stage)):,} of them failed {why};"
        f" {accepted:,} entities accepted, {arrived:,} messages arrived"
    )
