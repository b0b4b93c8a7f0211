"""The entity: what the hub sends, with its reserved fields read and its bytes untouched.

Knows nothing of HTTP, requests or connectors. Imports ``jsonarray``, ``repeated``, ``transit`` and
``errors`` only. Protocol rules are those of Sesam's entity data model (``entity-data-model``) and
its JSON push protocol (``json-push``).
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from .errors import EntityProblem, MalformedBody, Rejected, printable
from .jsonarray import Chunk
from .repeated import are_plain, refuse_repeated
from .transit import Ni

_NOTHING = msgspec.Raw(b"")


class _Head(msgspec.Struct, gc=False):
    """The reserved fields that a connector must look at; all others are skipped unread."""

    id: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="_id")
    deleted: msgspec.Raw = msgspec.field(name="_deleted", default=_NOTHING)
    updated: msgspec.Raw = msgspec.field(name="_updated", default=_NOTHING)


_HEADS = msgspec.json.Decoder(list[_Head])
_HEAD = msgspec.json.Decoder(_Head)
_DATA = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_LIST = msgspec.json.Decoder(list[Any])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Entity(msgspec.Struct, eq=False, gc=False):
    """One entity of a request, as the hub sent it.

    The reserved fields are decoded when one of them is first asked for, ``data`` when it is.

    Attributes:
        json: The entity's bytes exactly as the hub sent them: JSON in UTF-8.
        position: Zero-based position in the request's array.
    """

    json: bytes
    position: int
    _sequence: str | None
    _known_head: _Head | None = None
    _data: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """The ``_id``: a string with at least one character."""
        return self._head.id

    @property
    def _head(self) -> _Head:
        head = self._known_head
        if head is None:
            head = self._known_head = _HEAD.decode(self.json)
        return head

    def __repr__(self) -> str:
        # No payload in a repr: it ends up in logs and tracebacks.
        return f"<Entity {printable(self.id, 80)!r} at {self.position}>"

    @property
    def deleted(self) -> bool:
        """True if ``_deleted`` is exactly ``true``; every other value means not deleted."""
        return bytes(self._head.deleted) == b"true"

    @property
    def replaced(self) -> bool:
        """True if ``$replaced`` is exactly ``true``: the entity goes on under a new ``_id``.

        It comes with ``_deleted``, but what the entity stands for is not gone.
        """
        return bytes(self._field("$replaced")) == b"true"

    @property
    def ids(self) -> list[Ni]:
        """The namespaced identifiers in ``$ids``: what the entity is called in each namespace."""
        try:
            found = _LIST.decode(self._field("$ids"))
        except (msgspec.DecodeError, ValueError):
            return []  # there is no such field, or it is no list that Python can read
        return [Ni(each[2:]) for each in found if isinstance(each, str) and each[:2] == "~:"]

    @property
    def updated(self) -> str | int | None:
        """``_updated``: the version of the entity in the hub's dataset, or None without one."""
        token = bytes(self._head.updated)
        if not token:
            return None
        try:
            value = msgspec.json.decode(token)
        except msgspec.DecodeError:
            return None  # it holds a number that Python cannot read: no version that Sesam knows
        # A bool is an int to Python; Sesam's data model allows a string or an integer only.
        return value if isinstance(value, str | int) and not isinstance(value, bool) else None

    @property
    def key(self) -> str | None:
        """A key that is the same for every resending of this version, and for no other version.

        ``_id`` and ``_updated`` where both are there. Without ``_updated``: ``_id``, a hash of the
        content and the request's ``sequence_id``, so that a retry within a run is recognised and
        the next run is not swallowed. None without a sequence: no key can be claimed. Never a hash
        alone, for it repeats when a value goes A, B, A.
        """
        updated = self.updated
        if updated is not None:
            return f"{self.id}@{msgspec.json.encode(updated).decode()}"
        if self._sequence is None:
            return None
        digest = hashlib.sha256(self.json).hexdigest()[:32]
        return f"{self.id}@{digest}/{msgspec.json.encode(self._sequence).decode()}"

    @property
    def data(self) -> dict[str, Any]:
        """The entity as a dict, decoded once. Integers and decimals are exact.

        Numbers with a fraction or an exponent are ``decimal.Decimal``, so ``1.10`` stays ``1.10``.

        Raises:
            Rejected: A number has more digits than Python reads (4,300); the answer is 422.
        """
        if self._data is None:
            try:
                self._data = _DATA.decode(self.json)
            except (msgspec.DecodeError, ValueError, ArithmeticError):
                raise Rejected(entities=[self.problem("a number in it cannot be read")]) from None
        return self._data

    def payload(self, field: str | None = None) -> bytes | None:
        """What a target usually wants: the entity without the hub's reserved fields, as JSON.

        Args:
            field: Take the value of this root field instead, bytes as the hub sent them.

        Returns:
            JSON in UTF-8; None if there is no such field. A field that is null gives ``null``.
        """
        if field is not None:
            return bytes(self._field(field)) or None
        fields = _FIELDS.decode(self.json)
        return msgspec.json.encode({k: v for k, v in fields.items() if not k.startswith("_")})

    def _field(self, name: str) -> msgspec.Raw:
        try:
            return _field_decoder(name).decode(self.json).value
        except ValueError:  # msgspec looks up no name that has a quote or a control character
            return _FIELDS.decode(self.json).get(name, _NOTHING)

    def problem(self, reason: str) -> EntityProblem:
        """Name this entity in an error: ``Rejected("…", entities=[entity.problem("…")])``.

        Args:
            reason: One sentence for whoever mends the data. No values of the entity.
        """
        return EntityProblem(self.id, self.position, reason)


class _Field(msgspec.Struct):
    value: msgspec.Raw = _NOTHING


@functools.lru_cache(maxsize=64)
def _field_decoder(name: str) -> msgspec.json.Decoder[_Field]:
    """A decoder that finds one root field and skips the rest, many times faster than a dict."""
    value = ("value", msgspec.Raw, msgspec.field(name=name, default=_NOTHING))
    struct = msgspec.defstruct("_NamedField", [value], bases=(_Field,))
    return msgspec.json.Decoder(struct)


def check(chunk: Chunk, first: int) -> None:
    """Refuse a chunk in which an item is no entity.

    Args:
        chunk: Whole items of the request's array.
        first: Position of the chunk's first item in the request.

    Raises:
        MalformedBody: An item is not an object.
        Rejected: An entity has no ``_id``, or one that is not a string with at least a character;
            names every such entity of the chunk.
    """
    if are_plain(chunk):
        return
    try:
        heads = _HEADS.decode(chunk.document) if chunk.document else [_HEAD.decode(chunk.items[0])]
    except msgspec.ValidationError:
        raise _explain(chunk, first) from None
    refuse_repeated(chunk, [*map(_reserved_fields, heads)], first)


def _reserved_fields(head: _Head) -> int:
    """How many different ones an entity has."""
    return 1 + (head.deleted is not _NOTHING) + (head.updated is not _NOTHING)


def entities(items: list[bytes], first: int, sequence: str | None) -> Iterator[Entity]:
    """The entities of checked items.

    Args:
        items: Items of the request's array.
        first: Position of the first of them in the request.
        sequence: The request's ``sequence_id``, or None.
    """
    return map(Entity, items, itertools.count(first), itertools.repeat(sequence))


def _explain(chunk: Chunk, first: int) -> MalformedBody | Rejected:
    problems = []
    for position, item in enumerate(chunk.items, first):
        if not item.startswith(b"{"):
            return MalformedBody(
                f"Item {position} of the array is not an object."
                " Send entities only: objects with an _id."
            )
        try:
            _HEAD.decode(item)
        except msgspec.ValidationError:
            problems.append(EntityProblem(None, position, _id_problem(item)))
    return Rejected(
        "Every entity needs an _id: a string with at least one character.", entities=problems
    )


def _id_problem(item: bytes) -> str:
    value = _FIELDS.decode(item).get("_id")
    if value is None:
        return "_id is missing"
    return "_id is empty" if bytes(value) == b'""' else "_id is not a string"
