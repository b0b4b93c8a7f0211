"""The sink: which queue or topic, which bytes, and only then off they go."""

from __future__ import annotations

import logging
import re

from sesam_connector_sdk import Batch, DestinationNotAllowed, Entity, PushRequest, Sink

from .bus import Bus
from .courier import Courier
from .endpoint import entity_path
from .settings import ServiceBusSettings

# Letters, digits, periods, hyphens, underscores and slashes, as Azure names queues and topics.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9_])?", re.ASCII)

# To open the link of a check; with what closing takes, it is the default of CHECK_TIMEOUT.
_CHECK_SECONDS = 3.0


class ServiceBusSink(Sink[ServiceBusSettings]):
    """Send every entity as one message to the queue or topic that the pipe's ``url`` names.

    A batch is answered 200 only when Service Bus has acknowledged every message of it. Deleted
    entities are messages too, with ``_deleted`` in them unless ``PAYLOAD_KEY`` leaves it out.
    """

    route = "/{destination:path}"

    def open(self) -> None:
        """Start the client; connect to the allowed destinations in the background."""
        # The client logs tokens' audiences and wire frames at lower levels.
        logging.getLogger("azure").setLevel(logging.WARNING)
        self._allowed = {name.strip("/").lower() for name in self.settings.allowed_destinations}
        secret = self.settings.connection_string
        self._only = entity_path(secret.reveal()) if secret else None
        self._bus = Bus(self.settings)
        for name in sorted(self._allowed)[: self.settings.max_destinations]:
            self._bus.warm_up(name)

    def write(self, batch: Batch) -> None:
        """Send the batch; see the class."""
        destination = self._destination(batch.request)
        if not self._all_have_payload(batch) or not len(batch):
            return
        with self._bus.lanes(destination) as lanes:
            courier = Courier(self._bus, lanes, batch, self.settings.max_batch_messages)
            try:
                for entity in batch:
                    courier.add(entity, self._body(entity) or b"")
                courier.finish()
            finally:
                courier.abandon()

    def check(self) -> None:
        """Find out whether the namespace takes the credentials; no message is sent."""
        known = [self._only] if self._only else sorted(self._allowed)
        self._bus.probe(known[0] if known else None, _CHECK_SECONDS)

    def close(self) -> None:
        """Close every connection."""
        self._bus.close()

    def _destination(self, request: PushRequest) -> str:
        name = request.fields["destination"].strip("/")
        if not _NAME.fullmatch(name) or "//" in name:
            raise DestinationNotAllowed(
                "The path is not the name of a queue or topic. Mend the url of the pipe's sink."
            )
        if self._allowed and name.lower() not in self._allowed:
            raise DestinationNotAllowed(
                "This queue or topic is not listed in ALLOWED_DESTINATIONS. Add it there, or mend"
                " the url of the pipe's sink."
            )
        if self._only and name.lower() != self._only.lower():
            raise DestinationNotAllowed(
                "CONNECTION_STRING is for another queue or topic, the one in its EntityPath. Use"
                " one for the whole namespace, or mend the url of the pipe's sink."
            )
        return name

    def _all_have_payload(self, batch: Batch) -> bool:
        """Reject the entities without the payload field; nothing may be sent then."""
        field = self.settings.payload_key
        if field is None:
            return True
        complete = True
        for entity in batch:
            if entity.payload(field) is None:
                batch.reject(entity, f"it has no field {field!r}, which PAYLOAD_KEY names")
                complete = False
        return complete

    def _body(self, entity: Entity) -> bytes | None:
        field = self.settings.payload_key
        return entity.json if field is None else entity.payload(field)
