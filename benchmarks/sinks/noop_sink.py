"""A sink on the SDK whose target is free: it takes the bytes of every entity, and that is all."""

from __future__ import annotations

from sesam_connector_sdk import Batch, Settings, Sink, serve


class NoopSink(Sink[Settings]):
    """Hand every entity to a target that costs nothing."""

    def write(self, batch: Batch) -> None:
        """Take the bytes of every entity."""
        for entity in batch:
            send(entity.json)


def send(_message: bytes) -> None:
    """Where a target's client would be called."""


if __name__ == "__main__":
    serve(NoopSink)
