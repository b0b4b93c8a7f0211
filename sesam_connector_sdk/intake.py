"""What the connectors share that are sent entities, sinks and transforms: a schema for them.

Imports ``connector``, ``errors`` and ``schema`` only; a subclass runs in a test without a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .connector import Connector, SettingsT
from .errors import Misuse
from .schema import SchemaCheck


class Intake(Connector[SettingsT]):
    """A connector that is sent entities. Subclass ``Sink`` or ``Transform`` instead.

    Args:
        settings: The connector's settings, read before anything else happens.

    Attributes:
        settings: The same.
        schema_check: What checks each entity, made once from ``schema``; None without one.

    Raises:
        ImportError: It has a ``schema``, and the extra ``schema`` is not installed.
        Misuse: The schema is none; names the place in it.
    """

    schema: ClassVar[Mapping[str, Any] | None] = None
    """A JSON Schema, draft 2020-12, that every entity must hold to; None for any.

    All entities of a request are checked before your code sees the first of them. One that breaks
    the schema is answered 422, which names it, the place and the rule, and never a value. The check
    sees what ``entity.data`` holds. It takes about a tenth of a millisecond for an entity.
    """

    def __init__(self, settings: SettingsT) -> None:
        super().__init__(settings)
        self.schema_check = None if self.schema is None else self._checks(self.schema)

    def _checks(self, schema: Mapping[str, Any]) -> SchemaCheck:
        try:
            return SchemaCheck(schema)
        except ValueError as error:
            raise Misuse(f"{type(self).__name__}.schema: {error}") from None
