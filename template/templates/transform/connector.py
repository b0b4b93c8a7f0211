"""What the connector makes of the entities that the hub sends."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sesam_connector_sdk import Entity, Rejected, Settings, Transform


class NotesSettings(Settings):
    """The connector's own settings, each read from the variable of its name."""

    tax_percent: Decimal
    """Tax in percent of a price, such as 25 or 12.5."""


class NotesTransform(Transform[NotesSettings]):
    """Add ``price_with_tax`` to every note that has a ``price``."""

    side_effects = False

    def transform(self, entity: Entity) -> Mapping[str, Any] | Entity:
        """Make what becomes of one entity; one that is returned as it came is sent as it came."""
        price = entity.data.get("price")
        if entity.deleted or price is None:
            return entity
        if type(price) not in (int, Decimal):
            raise Rejected("price is not a number.")
        return {**entity.data, "price_with_tax": price + price * self.settings.tax_percent / 100}
