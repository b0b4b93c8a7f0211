"""The class that the author of a transform subclasses.

Imports ``intake``, ``entity``, ``request`` and ``transit``; a subclass runs in a test without a
server.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sesam_connector_sdk.connector import SettingsT
from sesam_connector_sdk.entity import Entity
from sesam_connector_sdk.intake import Intake
from sesam_connector_sdk.request import Request
from sesam_connector_sdk.transit import TextPolicy

Result = Mapping[str, Any] | Entity
"""What a transform makes: an entity as a mapping, or an ``Entity`` that it was given."""


class Transform(Intake[SettingsT]):
    """Makes entities from entities. Subclass it with your settings, and write ``transform``.

    Write ``transform`` for one entity at a time, or ``transform_batch`` for those of a request
    together: one of the two, or the class is refused when it is made. A base class of your own that
    has neither says so with ``ABC`` among its bases.

    One instance serves the whole process. ``Transform[MySettings]`` says which settings it reads
    from the environment. What you return is what the hub gets, reserved and unknown properties
    too: a new dict without ``_deleted`` makes a deleted entity a living one. Numbers of
    ``entity.data`` are sent as exactly as they came; an ``Entity`` that is returned itself is sent
    byte for byte.

    Args:
        settings: The connector's settings, read before anything else happens.

    Attributes:
        settings: The same.
    """

    batch_size: ClassVar[int] = 100
    """Entities in a request that suit the transform; rendered into the pipe, which decides."""

    side_effects: ClassVar[bool] = True
    """Whether it changes anything outside itself; rendered into the pipe.

    Set it to False if it does not: only then does the hub call it for a pipe's preview.
    """

    held_bytes: ClassVar[int] = 1024 * 1024
    """Bytes of an answer that are held back until it is sent; each request at work may hold them.

    While all of it is held, an error has its own status. Once sending has begun the status is 200,
    and an error breaks the transfer instead, so that the hub never takes a part for the whole.
    """

    text_policy: ClassVar[TextPolicy] = "strict"
    """What becomes of an entity with a text that the hub would reject or change.

    ``strict`` refuses the entity; ``repair`` mends the text.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        by_one, together = by_entity(cls), cls.transform_batch is not Transform.transform_batch
        if by_one and together:
            raise TypeError(
                f"{cls.__name__} has transform and transform_batch; write one of the two"
            )
        if not by_one and not together and ABC not in cls.__bases__:
            raise TypeError(
                f"{cls.__name__} has neither transform nor transform_batch; write one of the two,"
                " or add ABC to its bases if it is a base class"
            )

    def transform(self, entity: Entity) -> Result | Iterable[Result] | None:
        """Make what becomes of one entity: a mapping, several of them, or None to leave it out.

        Called from the server's threads, for several requests at once unless ``concurrency`` says
        otherwise; within a request in the order of its entities, which is also the order of the
        answer. The whole request has been checked by then. Deleted entities come too.

        Args:
            entity: One entity of the request.

        Returns:
            The entity to send, or an iterable of such; a generator will do. One without an ``_id``
            gets the one of ``entity``; of several, only one may do without.

        Raises:
            Rejected: This entity can never be transformed; 422, and the answer names it.
            Throttled: What is asked for help wants a pause; 429 with ``Retry-After``.
            TargetRefusedUs: It refuses the connector's credentials or address; 502.
            TargetUnavailable: It is away; 503 with ``Retry-After``. So is every exception listed in
                ``retryable``.
            OutcomeUnknown: It did not answer in time; 504.
            Unsendable: What was returned is nothing that the hub would read back; raised by the
                SDK, 500. If that was so of ``entity`` itself, it is rejected instead; 422.
            Exception: Anything else is a bug; 500 with an error id.
        """
        raise NotImplementedError

    def transform_batch(self, entities: Iterable[Entity], request: Request) -> Iterable[Result]:
        """Make what becomes of all entities of a request, for lookups that are better done at once.

        Called as ``transform`` is, and may raise the same. A generator keeps memory bounded.

        Args:
            entities: The request's entities in order; may be iterated again. Read from the body in
                pieces, so memory stays bounded.
            request: What came with them: fields of the route, query, headers, deadline.

        Returns:
            The entities to send, in order, each with an ``_id``.

        Raises:
            Rejected: As in ``transform``, but name the entities yourself:
                ``Rejected("…", entities=[entity.problem("…")])``.
            ConnectorError: As in ``transform``.
            Exception: Anything else is a bug; 500 with an error id.
        """
        raise NotImplementedError


def by_entity(cls: type[Transform[Any]]) -> bool:
    """Whether it transforms one entity at a time."""
    return cls.transform is not Transform.transform
