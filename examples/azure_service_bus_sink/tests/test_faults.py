"""What every fault leads to.

However an answer turns out: 2xx only if every message is in the queue; whatever is there twice has
the same id; an answer in bounded time; and the next request works.
"""

from __future__ import annotations

from collections import Counter

import pytest
from service_bus_emulator import faults
from service_bus_emulator.faults import NAMES

from .stage import (
    ACCEPTED,
    CASES,
    LONGEST,
    SHAPES,
    THROTTLED,
    UNAVAILABLE,
    Case,
    Outcomes,
)

every_case = pytest.mark.parametrize("shape", SHAPES)


def _cases() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))


def test_every_fault_of_the_emulator_has_a_case() -> None:
    """A fault that the emulator gains is one that the sink must be tried with."""
    tried = {type(fault) for case in CASES for fault in case.faults}
    assert tried == set(NAMES.values())


@every_case
@_cases()
def test_a_success_means_that_everything_is_in_the_queue(
    outcomes: Outcomes, case: Case, shape: str
) -> None:
    """P1: 2xx is answered only if every message is there; nothing is there that was not sent.

    Seen to fail when the sink swallows the client's exceptions, when it does not wait for the last
    acknowledgement, and when it does not look at one before it sends the next batch.
    """
    outcome = outcomes[case.name, shape]
    if outcome.answer.status < 300:
        assert set(outcome.found) == set(outcome.wanted)
        assert outcome.answer.document["delivered"] == len(outcome.wanted)
    assert set(outcome.found) <= set(outcome.wanted)


@every_case
@_cases()
def test_a_fault_has_its_status(outcomes: Outcomes, case: Case, shape: str) -> None:
    """The status is the one that makes the hub do the right thing; 429 and 503 say when.

    A 504 does not: it comes after SEND_TIMEOUT, and nobody has asked for a pause.
    """
    answer = outcomes[case.name, shape].answer
    assert answer.status in case.expected
    waits = answer.status in (THROTTLED, UNAVAILABLE)
    assert (int(answer.headers.get("retry-after", "0")) > 0) == waits


@every_case
@_cases()
def test_a_fault_is_answered_in_bounded_time(outcomes: Outcomes, case: Case, shape: str) -> None:
    """No fault holds a request longer than its time limits add up to.

    Seen to fail without the watchdog: one request hangs, and the whole play with it.
    """
    assert outcomes[case.name, shape].answer.seconds < LONGEST


@every_case
@_cases()
def test_after_a_fault_the_next_request_works(outcomes: Outcomes, case: Case, shape: str) -> None:
    """Once the fault is over, the next request is accepted and its message is there.

    Seen to fail without the watchdog: one request hangs, and the whole play with it.
    """
    outcome = outcomes[case.name, shape]
    assert outcome.following.status == ACCEPTED
    assert outcome.following_arrived


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_only_an_acceptance_that_was_lost_duplicates(outcomes: Outcomes, case: Case) -> None:
    """Messages are there twice only where Service Bus took them and could not say so.

    They have the same id then, by which duplicate detection finds them. Seen to fail when the
    client chooses the ids.
    """
    for shape in SHAPES:
        found = Counter(outcomes[case.name, shape].found)
        if not isinstance(case.faults[0], faults.AcceptThenDrop):
            assert max(found.values(), default=1) == 1
        elif case.faults[0].times == 1:
            assert max(found.values()) == 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_an_answer_says_nothing_in_the_targets_own_words(outcomes: Outcomes, case: Case) -> None:
    """The free text of an error, which may quote anything, is not passed on to the hub."""
    for shape in SHAPES:
        text = outcomes[case.name, shape].answer.text
        assert "injected" not in text
        assert "50009" not in text
