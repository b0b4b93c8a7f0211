"""What a source's class declares is consistent, and reaches the pipe in the hub's words."""

from __future__ import annotations

from typing import Any

import pytest

from sesam_connector_sdk import IntegerSince, Settings, Since, Source, TimestampSince
from tests.sources import Table, Whole


class Unsorted(Since[str]):
    """A token that means nothing to anybody but its source."""

    is_comparable = False

    def encode(self, value: str) -> str:
        """It is one."""
        return value

    def decode(self, text: str) -> str:
        """The same."""
        return text


class Latest(Whole):
    """Yields in any order, and the hub keeps the largest ``_updated``."""

    since = TimestampSince()


class Tokens(Whole):
    """Goes on from the last token."""

    since = Unsorted()
    is_chronological = True


@pytest.mark.parametrize(
    ("source", "supports", "comparable", "chronological"),
    [
        (Whole, False, False, False),
        (Table, True, True, True),
        (Latest, True, True, False),
        (Tokens, True, False, True),
    ],
)
def test_capabilities_are_those_of_the_class(
    source: type[Source[Settings]], supports: bool, comparable: bool, chronological: bool
) -> None:
    """In the names of the pipe's ``source``."""
    assert source.capabilities() == {
        "supports_since": supports,
        "is_since_comparable": comparable,
        "is_chronological": chronological,
    }


@pytest.mark.parametrize(
    ("declared", "hint"),
    [
        ({"since": IntegerSince}, "since needs a codec"),
        ({"since": "timestamp"}, "since needs a codec"),
        ({"is_chronological": True}, "says nothing without since"),
        ({"since": Unsorted()}, "neither chronological nor comparable"),
    ],
)
def test_what_the_hub_could_not_use_is_refused(declared: dict[str, Any], hint: str) -> None:
    """When the class is made, not when data is missing."""
    with pytest.raises(TypeError, match=hint):
        type("Odd", (Whole,), declared)


def test_a_source_has_to_read() -> None:
    """A class without ``read`` is none."""
    with pytest.raises(TypeError, match="read"):
        type("Silent", (Source,), {})(Settings())
