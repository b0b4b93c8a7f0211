"""The class that the author of a sink subclasses.

Imports ``connector``, ``intake`` and this room only; a subclass runs in a test without a server.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from sesam_connector_sdk.connector import SettingsT
from sesam_connector_sdk.intake import Intake

from .batch import Batch
from .full_sync import FullSync, FullSyncs


class Sink(Intake[SettingsT]):
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

    max_deletion_share: float = 0.5
    """Largest share of the target that a full sync may delete at its end: 0.5 is half of it.

    Looked at when a full sync is completed. Set it in ``open`` from a setting of yours, so that an
    operator can let a large clean-up through.
    """

    def __init__(self, settings: SettingsT) -> None:
        super().__init__(settings)
        # Here and not in the application: it has to last as long as the target is the same.
        self.full_syncs = (
            FullSyncs(keeps_ids=_has(type(self), "list_ids")) if self.sweeps() else None
        )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for hook in ("begin_full_sync", "list_ids"):
            if _has(cls, hook) and not cls.sweeps():
                raise TypeError(
                    f"{cls.__name__} has {hook} without complete_full_sync, which is what deletes"
                )

    @classmethod
    def sweeps(cls) -> bool:
        """Whether it deletes at the end of full syncs: it has its own ``complete_full_sync``."""
        return _has(cls, "complete_full_sync")

    def begin_full_sync(self, full_sync: FullSync) -> None:
        """Make ready for a full sync. Do nothing yet that cannot be taken back.

        Called before ``write`` gets the first request of a full sync, in the same thread, and again
        if that request fails and is sent again. Only for a sink that has ``complete_full_sync``.

        Args:
            full_sync: Which one.

        Raises:
            Exception: The same as ``write``, with the same statuses; ``write`` is not called then.
        """

    def complete_full_sync(self, full_sync: FullSync) -> None:
        """Delete from the target what the full sync did not bring. A sink with this hook sweeps.

        Called in the last request of a full sync, after ``write`` returned, in the same thread,
        while no other request of this path and query is at work. It is not called if a request
        of the full sync went amiss: if an entity was not delivered, if a request never came, or if
        the connector was restarted since the first one. May be called again, after an error of
        its own.

        Delete the rows of ``full_sync.fields`` and ``full_sync.query`` that do not bear
        ``full_sync.id``, after ``full_sync.guard``; or, with ``list_ids``, those of
        ``full_sync.unseen``, which are guarded already.

        Args:
            full_sync: Which one.

        Raises:
            TooManyDeletions: From ``full_sync.guard``; 422, and nothing is deleted.
            Exception: The same as ``write``, with the same statuses. The hub sends the last
                request again.
        """

    def list_ids(self, full_sync: FullSync) -> Iterable[str]:
        """The ``_id`` of every entity in the target, for a target whose rows bear no stamp.

        With this hook the SDK remembers what came during a full sync, in 12 to 24 bytes for each
        ``_id``, and puts the others into ``full_sync.unseen``. A full sync of more than two million
        ids deletes nothing. Called before ``complete_full_sync``, in the same thread.

        Args:
            full_sync: Which one; list what belongs to its ``fields`` and ``query`` only.

        Raises:
            Exception: The same as ``write``, with the same statuses; nothing is deleted then.
        """
        raise NotImplementedError

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Deliver every entity of the batch; return only when the target has confirmed them all.

        Called from the server's threads, several at once unless ``concurrency`` says otherwise. The
        hub sends batches again after an error, so be idempotent: use ``entity.key``. A batch
        may hold several versions of an entity, in order, and deleted entities. It may be empty: the
        hub ends every run with an empty one. Where a sink sweeps, stamp every row with
        ``batch.full_sync.id`` if there is one.

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


def _has(cls: type[Sink[Any]], hook: str) -> bool:
    return getattr(cls, hook) is not getattr(Sink, hook)
