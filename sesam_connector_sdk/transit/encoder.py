"""An entity of Python values as JSON that the hub reads back unchanged.

Plain JSON values go to msgspec at once. Only an entity that holds others is made plain first, and
only one whose JSON looks suspicious has its texts looked at one by one. Imports ``errors`` and the
modules beside it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sesam_connector_sdk.errors import EntityProblem, Unsendable, json_path

from .plain import DecimalForm, Plainer, Unfit, is_flat, is_json, is_plain
from .text import TextPolicy, checked, fault, key_fault

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_MOMENT = (
    rb"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"
    rb"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z\""
)
"""Nearly every time that is valid in a typed string: it need not be read to know that."""
_TAGGED = re.compile(rb'"(~[tfub][^"]*)"')
_SUSPICIOUS = re.compile(rb'"(~[tfub](?!(?<=t)' + _MOMENT + rb')[^"]*)"')
_TAG = re.compile(r"~[tfub:r]")


class EntityEncoder:
    """Writes entities as JSON, each so that the hub reads back what was there.

    One encoder serves any number of threads.

    Args:
        text: What becomes of a text that the hub would reject or change. ``"strict"`` refuses the
            entity; ``"repair"`` sends the text mended, as the page on typed values says.
        decimals: What a plain ``Decimal`` becomes. ``"typed"`` is exact however the pipe reads
            numbers. ``"number"`` leaves a number of ``entity.data`` the number that it was.
            A ``TypedDecimal`` is a typed string in either case.
    """

    def __init__(self, *, text: TextPolicy = "strict", decimals: DecimalForm = "typed") -> None:
        self._repair = text == "repair"
        self._decimals = decimals
        self._is_plain = is_plain if decimals == "number" else is_json

    def encode(self, entity: Mapping[str, Any], position: int = 0) -> bytes:
        """One entity as a JSON object in UTF-8.

        Args:
            entity: The entity; its ``_id`` must be a string with at least one character.
            position: Its zero-based position in the array, to name it by in an error.

        Raises:
            Unsendable: The hub would not read the entity back unchanged, or it has no usable
                ``_id``. Names the ``_id`` and the value's JSON path, never the value.
        """
        if type(entity) is dict and self._is_plain(entity.values()):
            document = _quickly(entity)
            if document is not None and _is_plain_id(entity.get("_id")):
                return document
        return self._thoroughly(entity, position)

    def encode_all(self, entities: Sequence[Mapping[str, Any]], first: int = 0) -> bytes:
        """Several entities with commas between them, as they stand in an array.

        Twice as fast as ``encode`` where all of them are plain JSON values without lists and
        objects in them. It may raise the same.

        Args:
            entities: The entities, in order.
            first: The zero-based position of the first of them in the array.
        """
        document = _quickly_all(entities)
        if document is not None:
            return document
        return b",".join(self.encode(each, first + at) for at, each in enumerate(entities))

    def _thoroughly(self, entity: Mapping[str, Any], position: int) -> bytes:
        identity = _usable_id(entity, position)
        try:
            plainer = Plainer(self._decimals)
            made = plainer.object(entity)
            document = _quickly(made, plainer.typed)
            return document or _ENCODER.encode(checked(made, repair=self._repair))
        except Unfit as unfit:
            reason = f"{json_path(reversed(unfit.steps))} {unfit.reason}"
            raise _unsendable(identity, position, reason) from None


def _quickly(plain: dict[str, Any], typed: int = 0) -> bytes | None:
    """The JSON of plain values; None if it may hold a text that the hub does not read unchanged.

    Args:
        plain: Strings, integers, booleans, nulls, and what else ``Plainer`` leaves.
        typed: How many typed strings ``Plainer`` has made of it.
    """
    try:
        "".join(plain)  # the quickest way to see that every key is a string
        document = _ENCODER.encode(plain)
    except (TypeError, ValueError):
        return None  # such a key, half a surrogate pair, or an integer of too many digits
    return document if _reads_back(document, typed) else None


def _quickly_all(entities: Sequence[Any]) -> bytes | None:
    """The same for several; None also if one of them is not plain, or has no plain ``_id``."""
    if set(map(type, entities)) != {dict}:
        return None
    values = itertools.chain.from_iterable(map(dict.values, entities))
    identities = [each.get("_id") for each in entities]
    if not (is_flat(values) and all(map(_is_plain_id, identities))):
        return None
    try:
        "".join(itertools.chain.from_iterable(entities))
        document = _ENCODER.encode(entities)[1:-1]
    except (TypeError, ValueError):
        return None
    return document if _reads_back(document, typed=0) else None


def _is_plain_id(identity: object) -> bool:
    return type(identity) is str and identity != "" and identity[0] != "~"


def _reads_back(document: bytes, typed: int) -> bool:
    # 92 is a backslash and 126 a tilde: one character is found much faster than several.
    if 92 in document and b"\\u0000" in document:
        return False
    return 126 not in document or _tags_are_sound(document, typed)


def _tags_are_sound(document: bytes, typed: int) -> bool:
    # As many as were made: there is no other.
    if typed and len(_TAGGED.findall(document)) == typed:
        return True
    return not any(fault(each.decode()) for each in _SUSPICIOUS.findall(document))


def _usable_id(entity: Mapping[str, Any], position: int) -> str:
    if not isinstance(entity, Mapping):
        raise _unsendable(None, position, f"it is a {type(entity).__name__} and no dict")
    identity = entity.get("_id")
    if not isinstance(identity, str) or not identity:
        fault = "missing" if identity is None else "empty" if identity == "" else "not a string"
        raise _unsendable(None, position, f"_id is {fault}")
    if _TAG.match(identity):
        raise _unsendable(identity, position, "_id begins like a typed value and is a string")
    unreadable = key_fault(identity)
    if unreadable is not None:
        raise _unsendable(identity, position, f"_id {unreadable}")
    return identity


def _unsendable(identity: str | None, position: int, reason: str) -> Unsendable:
    problem = EntityProblem(identity, position, reason)
    return Unsendable(f"An entity cannot be sent as it is: {reason}.", entities=[problem])
