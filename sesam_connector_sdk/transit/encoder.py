"""An entity of Python values as JSON that the hub reads back unchanged.

Plain JSON values go to msgspec at once. Only an entity that holds others is made plain first, and
only one whose JSON looks suspicious has its texts looked at one by one. Imports ``errors`` and the
modules beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sesam_connector_sdk.errors import EntityProblem, Unsendable, json_path

from .plain import FLAT, DecimalForm, Plainer, Unfit, is_json, is_plain
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
            Unsendable: The hub would not read the entity back unchanged, it has no usable ``_id``,
                or its ``_deleted`` says yes and is not True, so that the hub would not delete it.
                Names the ``_id`` and the value's JSON path, never the value.
        """
        if type(entity) is dict and self._is_plain(entity.values()):
            document = _quickly(entity)
            if document is not None and _is_plain_head(entity):
                return document
        return self._thoroughly(entity, position)

    def encode_all(self, entities: Iterable[Mapping[str, Any]], first: int = 0) -> bytes:
        """Several entities with commas between them, as they stand in an array.

        Quicker than ``encode`` for each. It may raise the same.

        Args:
            entities: The entities, in order.
            first: The zero-based position of the first of them in the array.
        """
        group = self.group(first)
        try:
            for each in entities:
                group.add(each)
        except Unsendable:
            b"".join(group.written())  # what is wrong with one before it is told first
            raise
        return b",".join(group.written())

    def group(self, first: int = 0) -> EntityGroup:
        """An empty group of entities that are to be encoded together.

        Args:
            first: The zero-based position in the array of the first that is added.
        """
        return EntityGroup(first, self._decimals, repair=self._repair)

    def _thoroughly(self, entity: Mapping[str, Any], position: int) -> bytes:
        plainer = Plainer(self._decimals)
        made = _made_plain(entity, position, plainer)
        return _quickly(made, plainer.typed) or _checked(made, position, repair=self._repair)


class EntityGroup:
    """Entities that are encoded together, which is quicker than one by one.

    Each is taken as it is when it is added, and may be changed afterwards. ``EntityEncoder.group``
    makes one; it serves one thread, and is written once.

    Attributes:
        end: Position behind the last that is written.
        size: Bytes that are written.
    """

    __slots__ = ("_are_simple", "_made", "_plainer", "_repair", "end", "size")

    def __init__(self, first: int, decimals: DecimalForm, *, repair: bool) -> None:
        self._repair = repair
        self._plainer = Plainer(decimals)
        self._made: list[dict[str, Any]] = []
        self._are_simple = True
        self.end = first
        self.size = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._made)

    def add(self, entity: Mapping[str, Any]) -> int:
        """Take one more entity.

        Returns:
            How many there are.

        Raises:
            Unsendable: As ``EntityEncoder.encode`` raises it, but for faults of texts.
        """
        # Entities of a group are alike: once one is not simple, it does not pay to look.
        if self._are_simple and _is_simple(entity):
            made = entity.copy()  # type: ignore[attr-defined]  # it is a dict
        else:
            self._are_simple = False
            made = _made_plain(entity, self.end + len(self._made), self._plainer)
        self._made.append(made)
        return len(self._made)

    def written(self) -> Iterator[bytes]:
        """JSON objects: all in one, with commas between them, or one by one up to a faulty one.

        Raises:
            Unsendable: The hub would not read a text back unchanged.
        """
        document = _quickly_all(self._made, self._plainer.typed)
        if document is not None:
            yield self._counted(document, len(self._made))
            return
        for made in self._made:
            document = _quickly(made) or _checked(made, self.end, repair=self._repair)
            yield self._counted(document, 1)

    def _counted(self, document: bytes, count: int) -> bytes:
        self.end += count
        self.size += len(document)
        return document


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


def _quickly_all(plain: list[dict[str, Any]], typed: int) -> bytes | None:
    """The same for several, whose keys are strings."""
    try:
        document = _ENCODER.encode(plain)[1:-1]
    except ValueError:
        return None
    return document if _reads_back(document, typed) else None


def _is_simple(entity: Mapping[str, Any]) -> bool:
    """Whether it is a dict of flat values, and nothing is odd about the hub's own fields."""
    if type(entity) is not dict or not FLAT.issuperset(map(type, entity.values())):
        return False
    try:
        "".join(entity)
    except TypeError:
        return False
    return _is_plain_head(entity)


def _made_plain(entity: Mapping[str, Any], position: int, plainer: Plainer) -> dict[str, Any]:
    if type(entity) is not dict or not _is_plain_head(entity):
        _refuse_odd_head(entity, position)
    try:
        return plainer.object(entity)
    except Unfit as unfit:
        raise _unfit(unfit, entity["_id"], position) from None


def _checked(made: dict[str, Any], position: int, *, repair: bool) -> bytes:
    identity = made["_id"]
    unreadable = key_fault(identity)
    if unreadable is not None:  # never mended: it would be another entity's
        raise _unsendable(identity, position, f"_id {unreadable}")
    try:
        return _ENCODER.encode(checked(made, repair=repair))
    except Unfit as unfit:
        raise _unfit(unfit, identity, position) from None


def _is_plain_head(entity: dict[str, Any]) -> bool:
    """Whether its ``_id`` is as good as any, and its ``_deleted`` as clear."""
    identity, deleted = entity.get("_id"), entity.get("_deleted")
    return (
        type(identity) is str
        and identity != ""
        and identity[0] != "~"
        and (not deleted or deleted is True)
    )


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


def _refuse_odd_head(entity: Mapping[str, Any], position: int) -> None:
    if not isinstance(entity, Mapping):
        raise _unsendable(None, position, f"it is a {type(entity).__name__} and no dict")
    identity = entity.get("_id")
    if not isinstance(identity, str) or not identity:
        fault = "missing" if identity is None else "empty" if identity == "" else "not a string"
        raise _unsendable(None, position, f"_id is {fault}")
    if _TAG.match(identity):
        raise _unsendable(identity, position, "_id begins like a typed value and is a string")
    deleted = entity.get("_deleted")
    if deleted and deleted is not True:
        # The hub takes 1 and "yes" for no, as it does 0 and "", which mean no to everybody.
        kind = type(deleted).__name__
        raise _unsendable(identity, position, f"_deleted is of type {kind}, and only True deletes")


def _unfit(unfit: Unfit, identity: str, position: int) -> Unsendable:
    return _unsendable(identity, position, f"{json_path(reversed(unfit.steps))} {unfit.reason}")


def _unsendable(identity: str | None, position: int, reason: str) -> Unsendable:
    problem = EntityProblem(identity, position, reason)
    return Unsendable(f"An entity cannot be sent as it is: {reason}.", entities=[problem])
