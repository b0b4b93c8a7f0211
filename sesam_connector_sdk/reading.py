"""Reads a setting's value from its variable, or from a file, and says its type in words.

Imports nothing else of the SDK.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self

import msgspec

FILE_SUFFIX = "_FILE"
"""What a secret's variable ends with if it names a file that holds the secret."""

_LONGEST_SECRET = 64 * 1024


class Secret:
    """A value that never shows itself: ``repr``, ``str`` and ``format`` give three stars.

    Args:
        value: The secret; read it back with ``reveal`` at the place that needs it, and only there.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: it would lie there for everyone to read")

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # what dataclasses.asdict() asks for

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


class Unreadable(Exception):
    """A variable, or the file it names, cannot be read. The text holds no value and no path."""


def text_of(variable: str, variables: Mapping[str, str], *, secret: bool) -> str:
    """The text of a variable; of a secret also from the file that its ``_FILE`` variable names.

    Args:
        variable: Its name.
        variables: All variables; an empty one counts as not set.
        secret: Whether the value is a secret.

    Raises:
        Unreadable: Both variables are set, or the file is of no use.
    """
    text = variables.get(variable, "")
    path = variables.get(variable + FILE_SUFFIX, "") if secret else ""
    if text and path:
        raise Unreadable(f"{variable} and {variable}{FILE_SUFFIX} are both set. Set one of them.")
    return _text_in(path, variable + FILE_SUFFIX) if path else text


def _text_in(path: str, variable: str) -> str:
    """What a file holds, without the line end that an editor or a node puts behind it."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LONGEST_SECRET + 1)
        text = content.decode()
    except OSError as error:
        reason = error.strerror or "it is no file"
        raise Unreadable(f"{variable} names a file that cannot be read: {reason}.") from None
    except ValueError:
        raise Unreadable(f"{variable} names a file that is no text in UTF-8.") from None
    if len(content) > _LONGEST_SECRET:
        raise Unreadable(f"{variable} names a file of more than {_LONGEST_SECRET} bytes.")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Unreadable(f"{variable} names a file that is empty.")
    return text


def value_of(text: str, kind: Any) -> Any:
    """A variable's text as a value of the setting's type.

    Args:
        text: The text, not empty.
        kind: The type.

    Raises:
        ValueError: The text does not fit the type.
        RecursionError: It is nested deeper than any value.
    """
    inner = plain(kind)
    if inner is Secret:
        return Secret(text)
    if inner is bool:
        text = text.lower()
    if inner in (float, Decimal) and not math.isfinite(float(text)):
        raise ValueError(text)
    if inner is str or inner in (bool, int, float, Decimal) or typing.get_origin(inner) is Literal:
        return msgspec.convert(text, kind, strict=False)
    if inner in _LISTS and not text.lstrip().startswith("["):
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return msgspec.convert(parts, kind)
    return msgspec.json.decode(text.encode("utf-8", "strict"), type=kind, dec_hook=_secret_in_json)


def _secret_in_json(kind: type, value: Any) -> Any:
    if kind is not Secret or not isinstance(value, str):
        raise ValueError(kind.__name__)
    return Secret(value)


def plain(kind: Any) -> Any:
    """The type without ``Annotated`` and without ``| None``."""
    if typing.get_origin(kind) is Annotated:
        return plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        members = [arg for arg in typing.get_args(kind) if arg is not type(None)]
        return plain(members[0]) if len(members) == 1 else kind
    return kind


def is_secret(kind: Any) -> bool:
    """Whether a type is a secret, or JSON that holds one."""
    if plain(kind) is Secret or any(map(is_secret, typing.get_args(kind))):
        return True
    fields = getattr(kind, "__struct_fields__", ()) or getattr(kind, "__dataclass_fields__", ())
    hints = typing.get_type_hints(kind, include_extras=True) if fields else {}
    return any(is_secret(hints[name]) for name in fields)


_LISTS = (list[str], tuple[str, ...])
_WORDS = {
    str: "text",
    int: "integer",
    float: "number",
    Decimal: "number",
    bool: "true or false",
    Secret: "secret",
}


def in_words(kind: Any) -> str:
    """A type in the words of those who set the variable."""
    inner = plain(kind)
    if typing.get_origin(inner) is Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(inner))
    if inner in _LISTS:
        return "JSON array of texts, or texts with commas between them"
    word = _WORDS.get(inner, "JSON")
    return word + _bounds(kind)


def _bounds(kind: Any) -> str:
    if typing.get_origin(kind) is not Annotated:
        return ""
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    metas = [arg for arg in typing.get_args(kind) if isinstance(arg, msgspec.Meta)]
    found = [
        f" {word} {getattr(meta, name)}"
        for meta in metas
        for name, word in words.items()
        if getattr(meta, name) is not None
    ]
    return "".join(found)
