"""Reads one JSON file of a node's configuration; an error says where, and what to do.

Knows JSON and files only: what a document means belongs to ``schema`` and ``model``. Imports the
SDK's own ``schema`` for its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from sesam_connector_sdk.schema import kind_of


class ConfigError(Exception):
    """The configuration cannot be used as it is.

    Attributes:
        problems: One readable line for each; a line names files, paths and names, never a value.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read_object(file: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file. Numbers are exact: ``int``, or ``Decimal`` as written.

    Files in the wild start with a byte order mark, because sesam-py writes one; it is skipped.
    Where a key stands twice, the last one counts, as for the hub.

    Args:
        file: The file.
        name: What to call it in an error.

    Raises:
        ConfigError: It cannot be read, or does not hold one JSON object.
    """
    try:
        found = json.loads(_text(file, name), parse_float=Decimal, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"{name}: line {error.lineno}, column {error.colno}"
        raise ConfigError([f"{place}: {_advice(error)}"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: nested too deep to be read"]) from None
    except (ValueError, ArithmeticError):
        raise ConfigError(
            [f"{name}: holds a number that JSON does not have, or one too long"]
        ) from None
    if not isinstance(found, dict):
        raise ConfigError([f"{name}: must hold one JSON object, not {kind_of(found)}"])
    return found


def _text(file: Path, name: str) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}: line {line}: is not UTF-8; save it as UTF-8"]) from None


def _no_constant(_text: str) -> NoReturn:
    raise ValueError


_SIGNS = {
    "#": "JSON has no comments; remove it",
    "/": "JSON has no comments; remove it",
    "'": 'write strings and names in double quotes: "',
    "\u201c": 'a curly quote; write straight ones: "',
}


def _advice(error: json.JSONDecodeError) -> str:
    """What is probably wrong there; the file's own text is not shown, for it may be a secret."""
    rest = error.doc[error.pos :]
    before = error.doc[: error.pos].rstrip()
    if "control character" in error.msg or "Unterminated" in error.msg:
        return 'a string is not closed on its line; add the " or write the line break as \\n'
    if "escape" in error.msg:
        return "an unknown escape in a string; write a backslash as \\\\"
    if not rest.strip():
        return "the file ends too early; a } or a ] is missing"
    if rest[0] in _SIGNS:
        return _SIGNS[rest[0]]
    if before.endswith(",") and rest[0] in "}]":
        return "no comma may stand before a closing bracket; remove it"
    return _BY_MESSAGE.get(error.msg, "this is not JSON")


_BY_MESSAGE = {
    "Expecting ',' delimiter": "a comma is missing before this place, or a bracket or a quote is"
    " too many or too few",
    "Expecting ':' delimiter": "a name must be followed by a colon and its value",
    "Expecting property name enclosed in double quotes": "a name in double quotes is expected here",
    "Expecting value": "a value is expected here: a string in double quotes, a number, true, false,"
    " null, a { or a [",
    "Extra data": "the file holds more than one JSON value; remove what follows the first",
    "Illegal trailing comma before end of object": "no comma may stand before a closing bracket;"
    " remove it",
    "Illegal trailing comma before end of array": "no comma may stand before a closing bracket;"
    " remove it",
}
