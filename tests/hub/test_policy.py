"""Which retry properties hold after which answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.hub import Policy, policy_for

PROPERTIES = tuple(Policy.__dataclass_fields__)
STRATEGY: dict[str, dict[str, Any]] = {
    "400-428": {"batch_retries": 0, "max_retries_per_entity": 0},
    "429": {"batch_retries": 100, "write_retry_delay": 30},
    "500,502, 504": {"batch_retries": 50, "write_retry_delay": Decimal("0.5")},
    "400-499": {"batch_retries": 7},
    "default": {"batch_retries": 9},
}


def test_without_configuration_the_documented_defaults_hold() -> None:
    """Those of ``configuration-pump``."""
    assert policy_for({}, {}, 500) == Policy(
        batch_retries=3,
        write_retry_delay=0,
        max_retries_per_entity=5,
        max_write_errors_in_retry_dataset=0,
        max_consecutive_write_errors=1,
    )


@pytest.mark.parametrize(
    ("status", "retries"),
    [
        (399, 9),
        (400, 0),
        (428, 0),
        (429, 100),
        (430, 7),
        (499, 7),
        (500, 50),
        (501, 9),
        (502, 50),
        (504, 50),
        (None, 3),
    ],
)
def test_a_key_covers_its_statuses(status: int | None, retries: int) -> None:
    """Ranges include both ends, lists are lists, the narrowest wins, ``default`` is the rest.

    Without an answer there is no status, and the strategy does not apply.
    """
    assert policy_for({}, STRATEGY, status).batch_retries == retries


def test_an_entry_is_not_mixed_with_the_default_entry() -> None:
    """What an entry leaves out is the pump's default."""
    assert policy_for({}, {"429": {}, "default": {"batch_retries": 9}}, 429).batch_retries == 3


def test_a_delay_is_in_seconds_with_fractions() -> None:
    """However the configuration writes its numbers."""
    assert policy_for({}, STRATEGY, 502).write_retry_delay == 0.5


def test_of_two_equal_ranges_the_first_counts() -> None:
    """The order in the file decides."""
    strategy = {"429": {"batch_retries": 1}, "428,429": {"batch_retries": 2}}

    assert policy_for({}, strategy, 429).batch_retries == 1


def test_single_entities_have_no_retries_while_none_is_kept() -> None:
    """``max_write_errors_in_retry_dataset`` 0 turns them off."""
    assert Policy(max_retries_per_entity=5).entity_retries == 0
    assert Policy(max_retries_per_entity=5, max_write_errors_in_retry_dataset=1).entity_retries == 5


VALUES = st.dictionaries(st.sampled_from(PROPERTIES), st.integers(0, 9))


@given(
    pump=VALUES,
    entry=VALUES,
    key=st.sampled_from(["default", "503", "500-599", "1-2,503"]),
)
def test_the_pump_wins_then_the_strategy_then_the_default(
    pump: dict[str, Any], entry: dict[str, Any], key: str
) -> None:
    """For every property on its own."""
    chosen = policy_for(pump, {key: entry}, 503)

    for name in PROPERTIES:
        assert getattr(chosen, name) == {name: getattr(Policy(), name), **entry, **pump}[name]


def test_other_properties_of_a_pump_are_left_alone() -> None:
    """A pump holds much that is not about retries."""
    pump = {"mode": "manual", "cron_expression": "* * * * *", "max_read_retries": 3}

    assert policy_for(pump, {}, 500) == Policy()
