"""Typed strings are read as the values that they stand for, with every digit."""

from __future__ import annotations

import copy
import json
import pickle
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sesam_connector_sdk.transit import Ni, Timestamp, TypedDecimal, Uri, decode, decode_all


def moment(*parts: int) -> datetime:
    """A time in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


VALUES: list[tuple[str, Any]] = [
    ("~t2015-12-31", date(2015, 12, 31)),
    ("~t2015-12-31Z", date(2015, 12, 31)),
    ("~t0001-01-01", date(1, 1, 1)),
    ("~t2020-01-02T03:04:05Z", moment(2020, 1, 2, 3, 4, 5)),
    ("~t2020-01-02T03:04:05.1Z", moment(2020, 1, 2, 3, 4, 5, 100_000)),
    ("~t2020-01-02T03:04:05.123456Z", moment(2020, 1, 2, 3, 4, 5, 123_456)),
    ("~t2020-01-02T03:04:05.123456000Z", moment(2020, 1, 2, 3, 4, 5, 123_456)),
    ("~t2020-01-02T03:04:05.1234567Z", Timestamp(moment(2020, 1, 2, 3, 4, 5, 123_456), 700)),
    ("~t2020-01-02T03:04:05.000000001Z", Timestamp(moment(2020, 1, 2, 3, 4, 5), 1)),
    ("~f1.10", TypedDecimal("1.10")),
    ("~f-0.0", TypedDecimal("-0.0")),
    ("~f1E10", TypedDecimal("1E+10")),
    ("~f12345678901234567890.1234567890", TypedDecimal("12345678901234567890.1234567890")),
    ("~u531a379e-31bb-4ce1-8690-158dceb64be6", uuid.UUID("531a379e31bb4ce18690158dceb64be6")),
    ("~u531A379E31BB4CE18690158DCEB64BE6", uuid.UUID("531a379e31bb4ce18690158dceb64be6")),
    ("~bAAECAwQF", b"\0\1\2\3\4\5"),
    ("~b", b""),
    ("~rhttp://x", Uri("http://x")),
    ("~r", Uri("")),
    ("~:crm:7", Ni("crm:7")),
    ("~d1.5", 1.5),
    ("~d-2", -2.0),
]

TEXTS = [
    "",
    "~",
    "~~x",
    "~n5",
    "~T2020-01-02",
    "plain",
    " ~f1",
    "~tomorrow",
    "~t2020-02-30",
    "~t2020-01-02T03:04:05",
    "~t2020-01-02T03:04:05+02:00",
    "~t2020-01-02T03:04:05.1234567891Z",
    "~t2020-01-02T03:04:05.1234560001Z",
    "~t2020-01-02T24:00:00Z",
    "~t2020-01-02T23:59:60Z",
    "~t2020-01-02\n",
    "~t\uff12020-01-02",
    "~f",
    "~fNaN",
    "~fInfinity",
    "~f1_000",
    "~f 1",
    "~f1\n",
    "~f\u0663",
    "~f1E9999999999999999999999",
    "~u123",
    "~u{531a379e-31bb-4ce1-8690-158dceb64be6}",
    "~bAA",
    "~b_-8=",
    "~bAA==AA==",
    "~dNaN",
    "~dx",
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_typed_string_is_the_value_that_it_stands_for(text: str, value: Any) -> None:
    """Value, type and digits. Seen to fail when digits beyond the microsecond are cut."""
    found = decode(text)

    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@pytest.mark.parametrize("text", TEXTS)
def test_any_other_string_is_itself(text: str) -> None:
    """Also what begins like a typed value and is none: decoding never fails and guesses nothing."""
    assert decode(text) is text


def test_what_the_hub_reads_is_what_is_decoded(shared: Path) -> None:
    """Every recorded string that the hub takes for a typed value is one here, but for two kinds.

    Those that the hub itself gets wrong, and spellings of a decimal that only Python knows.
    """
    cases = json.loads((shared / "facts" / "hub-parser-cases.json").read_text())["cases"]
    strings = [each for each in cases if each["group"] == "string"]
    differing = {
        each["value"]
        for each in strings
        if isinstance(decode(each["value"]), str)
        and not isinstance(decode(each["value"]), Uri | Ni)
        if each["outcome"] == "accepted" and isinstance(each["entities"][0]["a"], dict)
    }

    assert len(strings) > 50
    assert differing == {
        "~t2020-01-02T03:04:05+02:00",
        "~t2020-01-02T03:04:05+02:00Z",
        "~t2020-01-02T03:04:05.123",
        "~t2020-01-02T03:04:05.1234567891Z",
        "~fNaN",
        "~fInfinity",
        "~f1_000",
        "~f 1",
    }


def test_everything_in_an_entity_is_decoded_but_keys_and_numbers() -> None:
    """At any depth, in a copy: the entity that was given keeps its strings."""
    data = {"_id": "1", "~f1": ["~f1.10", {"a": "~:b:c"}], "n": Decimal("1.10"), "t": "~t~"}
    before = copy.deepcopy(data)

    found = decode_all(data)

    assert found == {
        "_id": "1",
        "~f1": [TypedDecimal("1.10"), {"a": Ni("b:c")}],
        "n": Decimal("1.10"),
        "t": "~t~",
    }
    assert type(found["~f1"][0]) is TypedDecimal
    assert type(found["n"]) is Decimal
    assert data == before


def test_a_timestamp_keeps_its_nanoseconds() -> None:
    """When it is copied, pickled, compared or sorted, unlike a ``datetime`` with one more field."""
    early, late = Timestamp(moment(2020, 1, 2), 1), Timestamp(moment(2020, 1, 2), 2)

    assert sorted([late, early]) == [early, late]
    assert early != late
    assert copy.deepcopy(late) == late
    assert pickle.loads(pickle.dumps(late)) == late  # noqa: S301 - its own
    for wrong in (-1, 1000):
        with pytest.raises(ValueError, match="0 to 999"):
            Timestamp(moment(2020, 1, 2), wrong)


def test_the_small_types_show_what_they_are() -> None:
    """In a traceback or a failed comparison, a URI is told from a text."""
    assert repr([Uri("x"), Ni("a:b")]) == "[Uri('x'), Ni('a:b')]"
