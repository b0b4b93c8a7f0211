"""P5: the status is policy. What is answered and what is rendered come from one table.

Breaks that were tried, each on a copy: ``Throttled.retry`` set to ``NEVER``; ``TargetUnavailable``
given status 409; ``Retry.WAIT`` allowed to keep failed entities. Each failed a test here.
"""

from __future__ import annotations

import pytest

from sesam_connector_sdk import (
    OutcomeUnknown,
    Rejected,
    TargetRefusedUs,
    TargetUnavailable,
    Throttled,
)
from sesam_connector_sdk.hub import End, Run
from sesam_connector_sdk.nodeconfig import rendering
from tests.hub.targets import ScriptedSink, fates, kinds, run_against

SYSTEM = {"retry_strategy": rendering.retry_strategy()}
OUTAGES = [
    Throttled("A pause."),
    TargetUnavailable("Away."),
    OutcomeUnknown("Silent."),
    TargetRefusedUs("Locked."),
]


def run(sink: ScriptedSink, *ids: str, slept: list[float] | None = None) -> Run:
    """What the hub does with the rendered configuration and some entities."""
    pump = rendering.pump("to-target")
    return run_against(sink, *ids, system=SYSTEM, pump=pump, batch_size=3, slept=slept)


def test_what_is_bad_for_good_is_not_sent_again_as_a_batch() -> None:
    """The hub goes straight to single entities, and only the bad one becomes a dead letter."""
    sink = ScriptedSink(poison={"b"})

    result = run(sink, *"abc")

    assert kinds(result) == "b s s s f"
    assert fates(result) == "dld"
    assert sink.ids == ["a", "c"]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda each: type(each).__name__)
def test_an_outage_is_waited_out(outage: Exception) -> None:
    """The same batch arrives whole once the target is back; the hub has waited in between."""
    sink = ScriptedSink([outage, outage])
    slept: list[float] = []

    result = run(sink, *"abc", slept=slept)

    assert kinds(result) == "b b+1 b+2 f"
    assert fates(result) == "ddd"
    assert len(slept) == 2
    assert min(slept) > 0


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda each: type(each).__name__)
def test_an_outage_that_lasts_costs_no_entity(outage: Exception) -> None:
    """The run ends, nothing is a dead letter, and the next run delivers everything."""
    sink = ScriptedSink([outage] * 30)

    result = run(sink, *"abcdef")

    assert result.end is End.WRITE_ERRORS
    assert set(fates(result)) <= {"f", "n"}
    assert fates(run(ScriptedSink(), *"abcdef")) == "dddddd"


def test_a_bug_that_one_entity_causes_does_not_stop_the_others() -> None:
    """Few retries, then single entities; the one that breaks the connector is set aside."""

    class Fragile(ScriptedSink):
        def write(self, batch: object) -> None:
            if any(entity.id == "b" for entity in batch):  # type: ignore[attr-defined]
                raise ZeroDivisionError
            super().write(batch)  # type: ignore[arg-type]

    sink = Fragile()

    result = run(sink, *"abc")

    assert kinds(result) == "b b+1 s s s+1 s+2 s+3 s f"
    assert fates(result) == "dld"


def test_an_entity_that_is_refused_for_its_neighbour_is_delivered() -> None:
    """A batch that turns out mixed is retryable as a whole: nothing good becomes a dead letter."""
    sink = ScriptedSink([Rejected("One of these.")])

    result = run(sink, *"abc")

    assert fates(result) == "ddd"
