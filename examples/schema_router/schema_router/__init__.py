"""A Sesam transform that tells entities that hold to a JSON Schema from those that do not."""

from .transform import RouterSettings, SchemaRouter

__all__ = ["RouterSettings", "SchemaRouter"]
