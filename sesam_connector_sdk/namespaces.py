"""Namespaces of identifiers and property names: ``crm:7`` is the identifier ``7`` of ``crm``.

A pipe adds and removes them by itself where it is told to; these functions are for one that does
not. Imports ``errors`` and ``transit`` only. Rules are those of Sesam's pages ``namespaces`` and
``entity-data-model``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import Rejected, printable
from .transit import Ni


def split(name: str) -> tuple[str | None, str]:
    """The namespace of a name, or None, and its identifier.

    A namespace may hold colons, an identifier may not: ``"a:b:7"`` is ``"7"`` of ``"a:b"``.

    Args:
        name: An ``_id``, a property's name or an ``Ni``; without the ``~:`` of a typed string.
    """
    namespace, colon, identifier = str.rpartition(name, ":")
    return (namespace if colon else None), identifier


def add_namespaces(data: Mapping[str, Any], *, identity: str, properties: str) -> dict[str, Any]:
    """A copy of an entity, its ``_id`` and properties in namespaces, also within its objects.

    What has a namespace already keeps it. Names that begin with ``_`` or ``$`` have none.

    Args:
        data: The entity, such as ``entity.data``.
        identity: The namespace of the ``_id``.
        properties: The namespace of the properties.

    Raises:
        Rejected: Two properties would become one; 422.
    """

    def name(key: str) -> str:
        return key if key[:1] in ("_", "$") else _within(properties, key)

    made = _renamed(data, name, lambda value: value)
    if isinstance(made.get("_id"), str):
        made["_id"] = _within(identity, made["_id"])
    return made


def remove_namespaces(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an entity without namespaces in its ``_id``, properties and identifiers.

    Also within its objects and lists. A namespaced identifier, typed string or ``Ni``, becomes the
    text of its identifier.

    Args:
        data: The entity, such as ``entity.data``.

    Raises:
        Rejected: Two properties would become one; 422.
    """
    made = _renamed(data, lambda key: split(key)[1], _bare)
    if isinstance(made.get("_id"), str):
        made["_id"] = split(made["_id"])[1]
    return made


def _within(namespace: str, name: str) -> str:
    return name if ":" in name else f"{namespace}:{name}"


def _bare(value: Any) -> Any:
    if isinstance(value, Ni):
        return split(value)[1]
    if isinstance(value, str) and value.startswith("~:"):
        return split(value[2:])[1]
    return value


def _renamed(
    data: Mapping[str, Any], name: Callable[[str], str], change: Callable[[Any], Any]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in data.items():
        named = name(key)
        if named in made:
            raise Rejected(
                f"Two properties become {printable(named, 80)} when namespaces are changed."
                " Keep the namespaces, or rename one of the properties in the pipe."
            )
        made[named] = _changed(value, name, change)
    return made


def _changed(value: Any, name: Callable[[str], str], change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        return _renamed(value, name, change)
    if isinstance(value, list | tuple):
        return [_changed(each, name, change) for each in value]
    return change(value)
