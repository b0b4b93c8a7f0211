"""What fails is sent again, then one at a time, within the bounds of the pump and the strategy."""

from __future__ import annotations

from decimal import Decimal

from sesam_connector_sdk import Rejected, TargetUnavailable, Throttled
from sesam_connector_sdk.hub import End, push
from tests.hub.targets import (
    DEAD_LETTERS,
    Conflict,
    ScriptedSink,
    entities,
    fates,
    kinds,
    listening,
    parameters,
    plan,
    run_against,
)


def test_a_batch_that_failed_is_the_same_request_again() -> None:
    """It keeps its ids, waits write_retry_delay and not Retry-After, and then is delivered once."""
    sink = ScriptedSink([TargetUnavailable(retry_after=99), TargetUnavailable(retry_after=99)])
    slept: list[float] = []

    run = run_against(sink, "a", "b", "c", slept=slept, pump={"write_retry_delay": Decimal("1.5")})

    assert kinds(run) == "b b+1 b+2 b f"
    assert parameters(run, "request_id") == ["1", "1", "1", "2", "3"]
    assert slept == [1.5, 1.5]
    assert sink.ids == ["a", "b", "c"]
    assert [(each.sent, each.delivered) for each in run.ledger.accounts] == [(3, 1), (3, 1), (1, 1)]
    assert run.ok


def test_by_default_a_run_ends_at_the_first_bad_entity() -> None:
    """Three batch retries, then single entities, and nothing after the one that failed."""
    sink = ScriptedSink(poison="c")

    run = run_against(sink, "a", "b", "c", "d", "e", batch_size=4)

    assert kinds(run) == "b b+1 b+2 b+3 s s s"
    assert sink.ids == ["a", "b"]
    assert fates(run) == "ddffn"
    assert run.end is End.WRITE_ERRORS
    assert not run.ok


def test_with_dead_letters_only_the_bad_entity_is_lost() -> None:
    """The batch falls back to single entities, the run goes on, and the final batch is sent."""
    sink = ScriptedSink(poison="bd")

    run = run_against(sink, "a", "b", "c", "d", "e", pump={**DEAD_LETTERS, "batch_retries": 0})

    assert kinds(run) == "b s s b s s b f"
    assert sink.ids == ["a", "c", "e"]
    assert fates(run) == "dldld"
    assert run.end is End.COMPLETE
    assert not run.ok


def test_without_a_dead_letter_dataset_an_entity_is_given_up_as_failed() -> None:
    """The run goes on within the bounds, and the ledger does not call it dead-lettered."""
    pump = {**DEAD_LETTERS, "dead_letter_dataset": None, "batch_retries": 0}

    run = run_against(ScriptedSink(poison="a"), "a", "b", pump=pump)

    assert fates(run) == "fd"
    assert run.end is End.COMPLETE


def test_dead_letters_need_a_retry_dataset() -> None:
    """With max_write_errors_in_retry_dataset 0 there are none, and the plan says so."""
    sink = ScriptedSink(poison="a")
    pump = {"dead_letter_dataset": "dead", "max_consecutive_write_errors": 100}

    with listening(sink) as base:
        asked = plan(base, entities("a", "b"), pump=pump)
        run = push(asked)

    assert fates(run) == "ff"
    assert run.end is End.WRITE_ERRORS
    assert [text.split(" has no effect")[0] for text in asked.remarks()] == ["dead_letter_dataset"]


def test_a_single_entity_is_tried_again_where_retries_are_on() -> None:
    """Up to max_retries_per_entity times, with the delay between."""
    away = TargetUnavailable()
    sink = ScriptedSink([away] * 5)
    slept: list[float] = []
    pump = {**DEAD_LETTERS, "batch_retries": 1, "max_retries_per_entity": 3, "write_retry_delay": 2}

    run = run_against(sink, "a", "b", slept=slept, pump=pump)

    assert kinds(run) == "b b+1 s s+1 s+2 s+3 s f"
    assert slept == [2] * 4
    assert sink.ids == ["a", "b"]
    assert run.ok


def test_an_entity_is_dead_lettered_after_its_last_retry() -> None:
    """One request and max_retries_per_entity more, then the next entity."""
    sink = ScriptedSink(poison="a")
    pump = {**DEAD_LETTERS, "batch_retries": 0, "max_retries_per_entity": 2}

    run = run_against(sink, "a", "b", pump=pump)

    assert kinds(run) == "b s s+1 s+2 s f"
    assert fates(run) == "ld"


def test_the_strategy_for_the_status_says_how_often() -> None:
    """422 is not sent again as a batch, 503 is, as each last answer says."""
    sink = ScriptedSink([TargetUnavailable(), TargetUnavailable(), Rejected()], poison="a")
    strategy = {"400-428": {"batch_retries": 0}, "503": {"batch_retries": 9}}

    run = run_against(sink, "a", "b", system={"retry_strategy": strategy}, pump=DEAD_LETTERS)

    assert kinds(run) == "b b+1 b+2 s s f"
    assert fates(run) == "ld"


def test_a_property_set_on_the_pump_wins_over_the_strategy() -> None:
    """As ``configuration-systems-url`` says."""
    sink = ScriptedSink([Throttled()] * 9)
    slept: list[float] = []
    strategy = {"429": {"batch_retries": 9, "write_retry_delay": 30}}

    run = run_against(
        sink, "a", "b", slept=slept, system={"retry_strategy": strategy}, pump={"batch_retries": 2}
    )

    assert kinds(run) == "b b+1 b+2 s"
    assert slept == [30, 30]


def test_so_many_failed_entities_in_a_row_end_the_run() -> None:
    """A delivered entity, or batch, starts the count again."""
    sink = ScriptedSink(poison="acdfg")
    pump = {**DEAD_LETTERS, "batch_retries": 0, "max_consecutive_write_errors": 3}

    run = run_against(sink, *"abcdefgh", pump=pump, batch_size=8)
    assert fates(run) == "ldlldlld"

    run = run_against(ScriptedSink(poison="abc"), *"abcd", pump=pump, batch_size=4)
    assert fates(run) == "lllf"
    assert "max_consecutive_write_errors" in run.reason

    run = run_against(ScriptedSink(poison="abef"), *"abcdef", pump=pump)
    assert fates(run) == "llddll"


def test_the_retry_dataset_has_a_bound() -> None:
    """One failed entity more than it keeps ends the run, whatever the other bounds are."""
    pump = {**DEAD_LETTERS, "batch_retries": 0, "max_retries_per_entity": 1}
    pump["max_write_errors_in_retry_dataset"] = 2

    run = run_against(ScriptedSink(poison="abcd"), *"abcd", pump=pump, batch_size=4)

    assert fates(run) == "llff"
    assert "max_write_errors_in_retry_dataset" in run.reason


def test_without_the_fallback_a_failed_batch_ends_the_run() -> None:
    """No single entity is sent, and no final batch."""
    sink = ScriptedSink(poison="c")
    pump = {**DEAD_LETTERS, "fallback_to_single_entities_on_batch_fail": False}

    run = run_against(sink, *"abcdef", pump=pump)

    assert kinds(run) == "b b b+1 b+2 b+3"
    assert fates(run) == "ddffnn"
    assert not run.ok


def test_a_batch_of_one_is_a_single_entity_from_the_start() -> None:
    """batch_retries is for sinks that batch."""
    run = run_against(ScriptedSink(poison="b"), "a", "b", pump=DEAD_LETTERS, batch_size=1)

    assert kinds(run) == "s s f"
    assert fates(run) == "dl"


def test_a_conflict_in_a_full_sync_stops_the_run_at_once() -> None:
    """409 is neither tried again nor sent one by one; the hub starts over with a new sequence."""
    sink = ScriptedSink([None, Conflict()])

    run = run_against(sink, *"abcd", pump=DEAD_LETTERS)

    assert kinds(run) == "b b"
    assert fates(run) == "ddff"
    assert run.end is End.CONFLICT
    assert "new sequence" in run.reason


def test_a_conflict_in_an_incremental_sync_is_a_failure_like_others() -> None:
    """There is no sequence to start over."""
    run = run_against(ScriptedSink([Conflict()]), "a", incremental=True)

    assert kinds(run) == "b b+1 f"
    assert run.ok


def test_a_refused_final_batch_is_not_ok() -> None:
    """Every entity was delivered, but the full sync was not completed."""
    run = run_against(ScriptedSink([None, *[Rejected()] * 4]), "a")

    assert kinds(run) == "b f f+1 f+2 f+3"
    assert fates(run) == "d"
    assert run.end is End.WRITE_ERRORS
    assert not run.ok


def test_a_final_batch_is_tried_again() -> None:
    """It has the batch's retries."""
    run = run_against(ScriptedSink([None, TargetUnavailable()]), "a")

    assert kinds(run) == "b f f+1"
    assert run.ok


def test_what_was_not_accepted_does_not_count_in_the_sequence() -> None:
    """``is_first`` stays until one is accepted; previous_request_id names accepted ones."""
    run = run_against(ScriptedSink(poison="a"), *"abc", pump={**DEAD_LETTERS, "batch_retries": 0})

    assert kinds(run) == "b s s b f"
    assert parameters(run, "request_id") == ["1", "2", "3", "4", "5"]
    assert parameters(run, "previous_request_id") == [None, None, None, "3", "4"]
    assert parameters(run, "is_first") == ["true", "true", "true", None, None]
