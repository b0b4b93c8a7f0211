"""The class that the author of a sink subclasses.

Imports ``connector`` and this room's batch; a subclass runs in a test without a server.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from sesam_connector_sdk.connector import Connector, SettingsT

from .batch import Batch


class Sink(Connector[SettingsT]):
    """Delivers entities to a target. Subclass it with your settings, and write ``write``.

    One instance serves the whole process. ``Sink[MySettings]`` says which settings it reads from
    the environment.

    Args:
        settings: The connector's settings, read before anything else happens.

    Attributes:
        settings: The same.
    """

    batch_size: ClassVar[int] = 100
    """Entities in a request that suit the target; rendered into the pipe, which decides."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Deliver every entity of the batch; return only when the target has confirmed them all.

        Called from the server's threads, several at once unless ``concurrency`` says otherwise. The
        hub sends batches again after an error, so be idempotent: use ``entity.key``. A batch
        may hold several versions of an entity, in order, and deleted entities. It may be empty: the
        hub ends every run with an empty one.

        Raises:
            DestinationNotAllowed: The request names a place that may not be written to; 403.
            Rejected: Entities can never be accepted; 422, and the hub isolates the bad one.
            Throttled: The target asks for a pause; 429 with ``Retry-After``.
            TargetRefusedUs: The target refuses the connector's credentials or address; 502.
            TargetUnavailable: The target is away; 503 with ``Retry-After``. So is every exception
                listed in ``retryable``.
            OutcomeUnknown: The target did not confirm in time; 504.
            Exception: Anything else is a bug; 500 with an error id.
        """
