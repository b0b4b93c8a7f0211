"""Whatever goes wrong, the ledger agrees with the target's own books."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sesam_connector_sdk.hub import End, Fate, Run, push
from tests.hub.targets import RudeServer, entities, plan

SCRIPTS = st.lists(
    st.sampled_from([200, 200, 200, 204, 409, 422, 429, 500, 503, "cut", "take and cut", "half"]),
    max_size=30,
)
PUMPS = st.fixed_dictionaries(
    {},
    optional={
        "batch_retries": st.integers(0, 3),
        "dead_letter_dataset": st.just("dead"),
        "fallback_to_single_entities_on_batch_fail": st.booleans(),
        "max_consecutive_write_errors": st.integers(0, 4),
        "max_retries_per_entity": st.integers(0, 3),
        "max_write_errors_in_retry_dataset": st.integers(0, 4),
    },
)
STRATEGIES = st.dictionaries(
    st.sampled_from(["422", "429,503", "400-499", "default"]),
    st.fixed_dictionaries(
        {},
        optional={
            "batch_retries": st.integers(0, 2),
            "max_consecutive_write_errors": st.integers(1, 4),
            "max_retries_per_entity": st.integers(0, 2),
            "max_write_errors_in_retry_dataset": st.integers(0, 4),
        },
    ),
)


@settings(max_examples=150)
@given(
    script=SCRIPTS,
    pump=PUMPS,
    strategy=STRATEGIES,
    count=st.integers(0, 8),
    batch_size=st.integers(1, 4),
    incremental=st.booleans(),
)
def test_the_ledger_agrees_with_the_target(
    script: list[Any],
    pump: dict[str, Any],
    strategy: dict[str, Any],
    count: int,
    batch_size: int,
    incremental: bool,
) -> None:
    """Delivered is what the target confirmed, as often as it did; nothing else is, and no more."""
    server = RudeServer(script)
    ids = [f"e{position}" for position in range(count)]
    with server.listening() as base:
        run = push(
            plan(
                base,
                entities(*ids),
                pump=pump,
                system={"retry_strategy": strategy},
                batch_size=batch_size,
            ),
            incremental=incremental,
            sleep=lambda _seconds: None,
        )

    check_the_books(run, server)
    check_the_end(run, server, ids)
    check_the_protocol(run, incremental=incremental)


def check_the_books(run: Run, server: RudeServer) -> None:
    """Every account says what the target and the requests say."""
    confirmed, taken = Counter(server.confirmed), Counter(server.taken)
    sent = Counter(each for record in run.requests for each in record.ids)
    for account in run.ledger.accounts:
        assert account.delivered == confirmed[account.id]
        assert account.sent == sent[account.id]
        assert taken[account.id] >= account.delivered
        if confirmed[account.id]:
            assert account.fate is Fate.DELIVERED
        else:
            assert account.fate is not Fate.DELIVERED
            assert (account.fate is Fate.NOT_SENT) == (account.sent == 0)
    assert len(server.bodies) == len(run.requests)


def check_the_end(run: Run, server: RudeServer, ids: list[str]) -> None:
    """``ok`` is: everything confirmed, and the final empty batch too."""
    assert run.ok == (set(server.confirmed) == set(ids) and server.completed == 1)
    assert (run.end is End.COMPLETE) == (server.completed == 1)
    assert server.confirmed == sorted(server.confirmed)
    last = run.requests[-1].answer
    assert last.ok == (run.end is End.COMPLETE)
    assert (last.status is None) == (run.end is End.NO_CONTACT)
    if run.end is End.CONFLICT:
        assert [record.answer.status for record in run.requests].count(409) == 1


def check_the_protocol(run: Run, *, incremental: bool) -> None:
    """Only a complete full sync has an ``is_last``, and the chain is of accepted requests."""
    accepted: list[str] = []
    for record in run.requests:
        asked = record.parameters
        assert asked["is_full"] == ("false" if incremental else "true")
        assert asked.get("previous_request_id") == (accepted[-1] if accepted else None)
        assert ("is_first" in asked) == (not incremental and not accepted)
        assert ("is_last" in asked) == (not incremental and record.kind == "final")
        if record.answer.ok:
            accepted.append(asked["request_id"])
