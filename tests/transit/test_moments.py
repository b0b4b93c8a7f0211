"""Moments become texts of one width in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sesam_connector_sdk.transit.moments import in_utc

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-11, minutes=-30)), ZoneInfo("Europe/Oslo")])


class Odd(datetime):
    """A subclass whose own texts are its own."""

    def isoformat(self, *_: object) -> str:
        """Not what a moment's is."""
        return "odd"

    __str__ = isoformat


@given(moment=st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES))
@example(moment=datetime(2020, 1, 2, 3, 4, 5, 0, UTC))
@example(moment=datetime(2020, 1, 2, 3, 4, 5, 100_000, UTC))
@example(moment=datetime(2020, 1, 2, 3, 4, 5, 1, UTC))
def test_a_moment_is_written_in_utc_with_six_digits(moment: datetime) -> None:
    """Whatever its zone, its class and its digits.

    Seen to fail when whole seconds go without digits, and when the zone is dropped.
    """
    plain = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")

    assert in_utc(moment) == plain
    # A subclass of Python 3.11 forgets in combine() which of two equal times by the clock it is.
    odd = Odd.combine(moment.date(), moment.timetz()).replace(fold=moment.fold)
    assert in_utc(odd) == plain


def test_what_is_no_moment_in_utc_is_refused() -> None:
    """Each in its own way, so that whoever asks can say what is wrong."""
    with pytest.raises(ValueError, match="without a time zone"):
        in_utc(datetime(2020, 1, 1))
    with pytest.raises(OverflowError):
        in_utc(datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))))
