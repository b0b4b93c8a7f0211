"""Parameters of a header are read as they are meant, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.authentication.parameters import parameters


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ('a=1,B="x, y=z" ,\tc = "q\\"\\\\"', {"a": "1", "b": "x, y=z", "c": 'q"\\'}),
        ("username*=UTF-8''J%C3%A4s", {"username*": "UTF-8''J%C3%A4s"}),
        ('uri="/a?b=c",nc=00000001,', {"uri": "/a?b=c", "nc": "00000001"}),
        ('a=""', {"a": ""}),
        ("a", None),
        ("a=", None),
        ('a="', None),
        ('a="\\"', None),
        ("a=1 b=2", None),
        ('a=1,A="2"', None),
        (",", None),
        ('a="x"y', None),
    ],
)
def test_what_is_no_list_of_parameters_is_none(text: str, found: dict[str, str] | None) -> None:
    """Also where a name is there twice: two readers could take two different ones."""
    assert parameters(text) == found


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9*-]{0,8}", fullmatch=True), st.text(max_size=20))
)
def test_what_is_quoted_is_read_back(values: dict[str, str]) -> None:
    """Whatever characters are in it."""
    quoted = {name: text.replace("\\", "\\\\").replace('"', '\\"') for name, text in values.items()}

    assert parameters(", ".join(f'{name}="{text}"' for name, text in quoted.items())) == values


@given(st.text(alphabet='a="\\, \t\n=bé\x00', max_size=60))
def test_no_text_is_too_odd_to_be_read_or_refused(text: str) -> None:
    """There is a result for every text."""
    found = parameters(text)

    assert found is None or all(name.islower() for name in found)


def test_a_long_text_takes_no_longer_for_each_character() -> None:
    """A quarter of a megabyte of what nearly is a parameter ends; squared, it would take hours."""
    for piece in ('a="', "\\", " ", "a=1,", '"', "a"):
        parameters(piece * (256 * 1024 // len(piece)))
        parameters('a="' + piece * (256 * 1024 // len(piece)))
