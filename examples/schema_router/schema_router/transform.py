"""Marks the entities that break a JSON Schema, so that pipes can tell them from the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sesam_connector_sdk import Entity, Settings, Transform
from sesam_connector_sdk.schema import SchemaCheck

PROBLEMS = "schema:problems"
"""The property of an entity that breaks the schema: what is wrong, a text for each place."""

_MOST = 20
"""Problems that are named of one entity; a long list can break a rule with each of its items."""


class RouterSettings(Settings):
    """What an entity must be like."""

    entity_schema: dict[str, Any]
    """JSON Schema, draft 2020-12, of an entity without the properties that begin with ``_``."""

    def problems(self) -> Iterable[str]:
        """Say what is wrong with the schema, before a pipe meets it."""
        try:
            SchemaCheck(self.entity_schema)
        except ValueError as error:
            yield f"ENTITY_SCHEMA cannot be used. {error}"


class SchemaRouter(Transform[RouterSettings]):
    """Give every entity back; one that breaks the schema with ``schema:problems``.

    One that holds to it passes byte for byte. So does a deleted one: what it says is that there is
    nothing to check any more.
    """

    side_effects = False
    # An entity that breaks a rule may have broken texts, too, and is to go through all the same.
    text_policy = "repair"

    def open(self) -> None:
        """Build the check once; all threads share it."""
        self.check_of = SchemaCheck(self.settings.entity_schema)

    def transform(self, entity: Entity) -> Mapping[str, Any] | Entity:
        """Mark one entity, or give it back as it is."""
        if entity.deleted:
            return entity
        data = {name: value for name, value in entity.data.items() if name != PROBLEMS}
        problems = self._problems({name: data[name] for name in data if name[:1] != "_"})
        if problems:
            return {**data, PROBLEMS: problems}
        # Marked when it came this way before, and mended since.
        return data if PROBLEMS in entity.data else entity

    def _problems(self, properties: dict[str, Any]) -> list[str]:
        try:
            found = self.check_of.problems(properties)
        except RecursionError:
            return ["$: is nested too deeply for the schema"]
        if len(found) > _MOST:
            found[_MOST:] = [f"and {len(found) - _MOST} more"]
        return found
