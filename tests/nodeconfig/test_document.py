"""A file that is not JSON is told with its line, its column and what to do, never its text."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from sesam_connector_sdk.nodeconfig import ConfigError
from sesam_connector_sdk.nodeconfig.document import read_object


def refusal(tmp_path: Path, content: bytes) -> str:
    """The one problem of a file."""
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_object(file, "pipes/x.conf.json")
    assert len(refused.value.problems) == 1
    return refused.value.problems[0]


# Python names the comma itself from 3.13 on, and what stands behind it before.
COMMA_IN_OBJECT, COMMA_IN_LIST = (
    ("line 2, column 9", "line 1, column 9")
    if sys.version_info >= (3, 13)
    else ("line 3, column 1", "line 1, column 10")
)


@pytest.mark.parametrize(
    ("content", "place", "advice"),
    [
        ('{\n  "a": 1,\n}', COMMA_IN_OBJECT, "no comma may stand before a closing bracket"),
        ('{"a": [1,]}', COMMA_IN_LIST, "no comma may stand before a closing bracket"),
        ('{"a": 1\n "b": 2}', "line 2, column 2", "a comma is missing"),
        ('{"a" 1}', "line 1, column 6", "followed by a colon"),
        ('{\n# comment\n"a": 1}', "line 2, column 1", "no comments"),
        ('{"a": 1} // comment', "line 1, column 10", "no comments"),
        ("{'a': 1}", "line 1, column 2", "double quotes"),
        ("{“a”: 1}", "line 1, column 2", "curly quote"),
        ("{a: 1}", "line 1, column 2", "a name in double quotes"),
        ('{"a": value}', "line 1, column 7", "a value is expected"),
        ('{"a": "open\n}', "line 1, column 12", "not closed"),
        ('{"a": "open', "line 1, column 7", "not closed"),
        ('{"a": "C:\\path"}', "line 1, column 10", "a backslash as"),
        ('{"a": {"b": 1}', "line 1, column 15", "the file ends too early"),
        ("", "line 1, column 1", "the file ends too early"),
        ("{}\n{}", "line 2, column 1", "more than one JSON value"),
        ("{}]", "line 1, column 3", "more than one JSON value"),
    ],
)
def test_the_place_and_the_remedy_are_told(
    tmp_path: Path, content: str, place: str, advice: str
) -> None:
    """The mistakes that a third of the published configurations have."""
    problem = refusal(tmp_path, content.encode())

    assert problem.startswith(f"pipes/x.conf.json: {place}: ")
    assert advice in problem


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[]", "must hold one JSON object, not a list"),
        (b"null", "not null"),
        (b"true", "not true or false"),
        (b'"x"', "not a string"),
        (b"7", "not an integer"),
        (b"7.5", "not a number"),
        (b'{"a": NaN}', "a number that JSON does not have"),
        (b'{"a": -Infinity}', "a number that JSON does not have"),
        (b'{"a": ' + b"9" * 5000 + b"}", "one too long"),
        (b'{"a": 1e9999999999999999999}', "one too long"),
        (b"[" * 200_000, "nested too deep"),
        (b'{\n"a": "\xff"}', "line 2: is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8"),
    ],
)
def test_what_is_json_but_no_configuration_is_told(
    tmp_path: Path, content: bytes, says: str
) -> None:
    """One object, in UTF-8, with numbers that can be kept."""
    assert says in refusal(tmp_path, content)


def test_a_problem_does_not_show_the_text(tmp_path: Path) -> None:
    """A secret may stand where the mistake is."""
    assert "hunter2" not in refusal(tmp_path, b'{"password": hunter2}')
    assert "hunter2" not in refusal(tmp_path, b'{"password": "hunter2}')


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the system's own reason."""
    with pytest.raises(ConfigError, match=r"x\.json: cannot be read: "):
        read_object(tmp_path, "x.json")


def test_numbers_are_exact_and_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """Files in the wild start with one."""
    file = tmp_path / "file"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1.10, "b": 123456789012345678901234567890, "b2": 1e2}')

    found = read_object(file, "file")

    assert found == {"a": Decimal("1.10"), "b": 123456789012345678901234567890, "b2": 100}
    assert str(found["a"]) == "1.10"


def test_of_two_equal_keys_the_last_counts(tmp_path: Path) -> None:
    """As for the hub's own parser."""
    file = tmp_path / "file"
    file.write_text('{"a": 1, "a": 2}')

    assert read_object(file, "file") == {"a": 2}
