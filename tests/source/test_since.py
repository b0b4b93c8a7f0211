"""What a source writes as ``_updated`` sorts for the hub as for the source, and comes back."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk import CompositeSince, IntegerSince, Since, TimestampSince
from tests import hub_reader

MOMENTS = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 1, 1),
)
NUMBERS = st.integers(0, 10**19 - 1)
CODECS: list[tuple[Since[Any], st.SearchStrategy[Any]]] = [
    (TimestampSince(), MOMENTS),
    (IntegerSince(), st.integers(-(10**30), 10**30)),
    (CompositeSince(TimestampSince(), IntegerSince()), st.tuples(MOMENTS, NUMBERS)),
    (CompositeSince(*[IntegerSince()] * 3), st.tuples(NUMBERS, NUMBERS, NUMBERS)),
]
WHICH = st.sampled_from(CODECS)


@given(st.data())
def test_the_hub_sorts_what_is_written_as_the_source_sorts_its_values(data: st.DataObject) -> None:
    """Integers as numbers, texts byte by byte. Seen to fail when a composite's parts have no zeros.

    Seen to fail, too, when a moment keeps its zone.
    """
    codec, values = data.draw(WHICH)
    before, after = sorted([data.draw(values), data.draw(values)])

    written = [codec.encode(before), codec.encode(after)]

    keys: list[Any] = [each.encode() if isinstance(each, str) else each for each in written]
    assert (keys[0] < keys[1]) == (before < after)


def test_a_moment_of_whole_seconds_is_before_its_fractions() -> None:
    """As texts, ``00Z`` is behind ``00.5Z``. Seen to fail when a fraction of zero is left out."""
    whole = datetime(2020, 1, 1, tzinfo=UTC)

    assert TimestampSince().encode(whole) < TimestampSince().encode(whole + timedelta(seconds=0.5))


@given(st.data())
def test_a_since_is_the_value_that_was_written(data: st.DataObject) -> None:
    """What the hub sends back is what it got; nothing of it is lost."""
    codec, values = data.draw(WHICH)
    value = data.draw(values)

    assert codec.decode(str(codec.encode(value))) == value


@given(st.data())
def test_the_hub_can_read_what_is_written(data: st.DataObject) -> None:
    """No text of it is taken for a typed value that it is not. Seen to fail with a ``~t…/…``."""
    codec, values = data.draw(WHICH)
    written = codec.encode(data.draw(values))

    body = b'[{"_updated":"%b"}]' if isinstance(written, str) else b'[{"_updated":%b}]'
    assert hub_reader.read(body % str(written).encode())[1]


def test_a_moment_has_the_form_that_partial_rescans_need() -> None:
    """Typed, in UTC, of one width."""
    oslo = timezone(timedelta(hours=2))

    assert TimestampSince().encode(datetime(2018, 4, 27, 17, 46, 40, tzinfo=oslo)) == (
        "~t2018-04-27T15:46:40.000000Z"
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("~t2018-04-27T15:46:40Z", datetime(2018, 4, 27, 15, 46, 40, tzinfo=UTC)),
        ("2018-04-27T15:46:40.5Z", datetime(2018, 4, 27, 15, 46, 40, 500000, tzinfo=UTC)),
        ("~t2018-04-27T15:46:40.123456789Z", datetime(2018, 4, 27, 15, 46, 40, 123456, UTC)),
        ("2018-04-27", datetime(2018, 4, 27, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_the_hub_or_a_person_writes_it(text: str, moment: datetime) -> None:
    """A rescan's has no fraction, a person's perhaps no time; what is cut off makes it earlier."""
    assert TimestampSince().decode(text) == moment


@pytest.mark.parametrize(
    ("codec", "text", "hint"),
    [
        (TimestampSince(), "~t2018-02-30T00:00:00Z", "a moment in UTC"),
        (TimestampSince(), "2018-04-27T15:46:40+02:00", "a moment in UTC"),
        (TimestampSince(), "2018-04-27T15:46:40", "a moment in UTC"),
        (TimestampSince(), "2018-04-27T15:46:40Z\n", "a moment in UTC"),
        (TimestampSince(), "٢٠١٨-04-27", "a moment in UTC"),
        (TimestampSince(), "0000-01-01", "a moment in UTC"),
        (IntegerSince(), "1.0", "a whole number"),
        (IntegerSince(), "\u0661", "a whole number"),
        (IntegerSince(), "9" * 5000, "a whole number"),
        (CompositeSince(IntegerSince(), IntegerSince()), "1", "2 values"),
        (CompositeSince(IntegerSince(), IntegerSince()), "1/2/3", "2 values"),
        (CompositeSince(IntegerSince(), IntegerSince()), "1/x", "a whole number"),
    ],
)
def test_a_since_that_is_none_is_refused(codec: Since[Any], text: str, hint: str) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match=hint):
        codec.decode(text)


@pytest.mark.parametrize(
    ("codec", "value", "hint"),
    [
        (TimestampSince(), datetime(2020, 1, 1), "a datetime with a time zone"),
        (TimestampSince(), "2020-01-01", "a datetime with a time zone"),
        (TimestampSince(), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "years 1 to"),
        (IntegerSince(), "1", "an int"),
        (IntegerSince(), True, "an int"),
        (IntegerSince(), 1.0, "an int"),
        (CompositeSince(IntegerSince(), IntegerSince()), (1,), "a tuple of 2"),
        (CompositeSince(IntegerSince(), IntegerSince()), [1, 2], "a tuple of 2"),
        (CompositeSince(IntegerSince(), IntegerSince()), (1, -1), "an int from 0"),
        (CompositeSince(IntegerSince(), IntegerSince()), (1, 10**19), "an int from 0"),
    ],
)
def test_a_value_that_would_not_sort_is_refused(codec: Since[Any], value: Any, hint: str) -> None:
    """Nothing leaves that the hub would sort wrongly."""
    with pytest.raises(ValueError, match=hint):
        codec.encode(value)


@pytest.mark.parametrize("parts", [(), (IntegerSince(),), (IntegerSince, IntegerSince)])
def test_a_composite_has_parts(parts: Any) -> None:
    """Two or more, made and not only named."""
    with pytest.raises(TypeError, match="two parts or more"):
        CompositeSince(*parts)


@given(WHICH, st.text())
def test_nothing_but_a_value_or_a_value_error_comes_out(
    chosen: tuple[Since[Any], Any], text: str
) -> None:
    """Whatever somebody sends."""
    with contextlib.suppress(ValueError):
        chosen[0].decode(text)
