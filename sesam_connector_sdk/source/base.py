"""The class that the author of a source subclasses.

Imports ``connector``, ``request``, ``transit`` and this room only; a subclass runs in a test
without a server.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sesam_connector_sdk.connector import Connector, SettingsT
from sesam_connector_sdk.request import PullRequest
from sesam_connector_sdk.transit import TextPolicy

from .dataset import Dataset
from .since import Since


class Source(Connector[SettingsT]):
    """Gives the hub entities. Subclass it with your settings, and write ``read``.

    One instance serves the whole process. ``Source[MySettings]`` says which settings it reads from
    the environment. It answers GET.

    Args:
        settings: The connector's settings, read before anything else happens.

    Attributes:
        settings: The same.
    """

    since: ClassVar[Since[Any] | None] = None
    """What the ``_updated`` of its entities is; None for a source that can only yield everything.

    With one, ``read`` yields ``_updated`` with every entity and heeds ``request.since``.
    """

    is_chronological: ClassVar[bool] = False
    """Whether ``read`` yields in the order of ``_updated``, the smallest first.

    Only then does the hub read page by page, and go on where a failed run ended. The SDK checks it:
    an entity that is older than the one before it breaks the answer.
    """

    may_be_empty: ClassVar[bool] = False
    """Whether it is normal that a full read, one without ``since``, finds nothing.

    The hub deletes what a full run does not give it. So a full run without a single entity is
    refused with 502 unless this is True.
    """

    text_policy: ClassVar[TextPolicy] = "strict"
    """What becomes of an entity with a text that the hub would reject or change.

    ``strict`` breaks the answer and names the entity; ``repair`` mends the text.
    """

    has_subsets: ClassVar[bool] = False
    """Whether ``read`` heeds ``request.subset``. If not, a subset is refused with 404."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.since is not None and not isinstance(cls.since, Since):
            raise TypeError(f"{cls.__name__}.since needs a codec, such as TimestampSince()")
        if cls.since is None and cls.is_chronological:
            raise TypeError(f"{cls.__name__}.is_chronological says nothing without since")
        if cls.since is not None and not (cls.is_chronological or cls.since.is_comparable):
            raise TypeError(
                f"{cls.__name__}: the hub cannot go on from a since that is neither chronological"
                " nor comparable; yield in order, or leave since out"
            )

    @classmethod
    def capabilities(cls) -> dict[str, bool]:
        """What a pipe's ``source`` must say of it, in the hub's own names."""
        return {
            "supports_since": cls.since is not None,
            "is_since_comparable": cls.since is not None and cls.since.is_comparable,
            "is_chronological": cls.is_chronological,
        }

    @abstractmethod
    def read(self, request: PullRequest) -> Iterable[Mapping[str, Any]]:
        """Yield the entities: each a mapping with an ``_id``, a text of at least one character.

        Called from the server's threads, several at once unless ``concurrency`` says otherwise.
        Write it as a generator: entities are sent while you make them. Each is taken as it is when
        you yield it, so its dict may be used again for the next one. Where it stops early,
        because the limit is reached or the client has gone, the generator is closed, so a
        ``finally`` or a ``with`` lets go of a cursor. Nothing is sent before the first entity
        is there. What you raise until then becomes a status; what you raise later breaks the
        transfer, so the hub never takes half of the entities for all. Therefore never catch an
        error and go on without the entities that it cost.

        With ``request.since``, yield what has changed since then, deleted entities with
        ``"_deleted": True``; 1 is refused, because the hub would delete nothing. If several
        entities can have the same ``_updated``, as with moments, begin *at* it: a run may have
        failed between two of them. Where the hub reads page by page the SDK leaves out what is not
        behind ``since``, so the next page is another one. Do not cut at ``request.limit``: the SDK
        does, and keeps entities with the same ``_updated`` together.

        Raises:
            UnknownSubset: There is no such subset; 404.
            Throttled: The other side asks for a pause; 429 with ``Retry-After``.
            TargetRefusedUs: The other side refuses the connector's credentials or address; 502.
            TargetUnavailable: The other side is away; 503 with ``Retry-After``. So is every
                exception listed in ``retryable``.
            OutcomeUnknown: The other side did not answer in time; 504.
            Exception: Anything else is a bug; 500 with an error id.
        """

    def dataset(self, request: PullRequest) -> Dataset | None:  # noqa: ARG002  # a hook
        """The state of what is read from, for the headers of the answer; None for none.

        Called before ``read``, from the same thread; it may raise the same.
        """
        return None
