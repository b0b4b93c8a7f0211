"""Every error a connector can answer with: its status, its code, and what the hub should do.

One class is one row of the table in ``docs/reference/statuses.md``. This module knows nothing of
HTTP beyond the status number, and imports nothing else of the SDK.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class Retry(enum.Enum):
    """What the hub should do with a request that got this answer."""

    NEVER = "no batch retries"
    WAIT = "wait, then retry"
    LATER = "retry later"
    FEW = "few retries"
    RESTART = "none: the hub starts over"


@dataclass(frozen=True, slots=True)
class EntityProblem:
    """One entity that could not be taken, and why.

    Attributes:
        id: The entity's ``_id``, or None where it has none.
        position: Zero-based position of the entity in the request's array.
        reason: One sentence for the person who mends the data; never a value of the entity.
    """

    id: str | None
    position: int
    reason: str


class ConnectorError(Exception):
    """The connector could not do what was asked.

    Args:
        detail: What is wrong, where, and what to do, in a sentence or two. It is sent to the hub,
            which copies it into the pipe's log: no payloads, no secrets.
        entities: The entities this is about, if it is about some of them.
        retry_after: Seconds after which trying again makes sense, sent as ``Retry-After``.
    """

    status: ClassVar[int] = 500
    """The HTTP status of the answer."""

    code: ClassVar[str] = "bug"
    """The stable name of the error, in its ``type`` and in the log: one for each class."""

    retry: ClassVar[Retry] = Retry.FEW
    """What the hub should do."""

    advice: ClassVar[str] = "See the detail, and the connector's log."
    """What whoever sees the error should do, the same text for every occurrence."""

    def __init__(
        self,
        detail: str = "",
        *,
        entities: Sequence[EntityProblem] = (),
        retry_after: float | None = None,
    ) -> None:
        # Not str(detail): the text of some library's error may quote a payload.
        text: object = detail
        self.detail = text if isinstance(text, str) and text else self.title()
        self.entities = tuple(entities)
        self.retry_after = retry_after
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """The first sentence of the class's docstring: the same text for every occurrence."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class Misuse(RuntimeError):
    """The connector's own code does not keep to what the SDK asks of it: a bug, answered as one.

    The text is the SDK's own and about code alone, with nothing of an entity or a setting. So the
    log shows it, which it does of no other exception that is a bug.
    """


class MalformedRequest(ConnectorError):
    """The request is not the HTTP that the connector accepts."""

    status = 400
    code = "malformed-request"
    retry = Retry.NEVER
    advice = (
        "Mend the client, or the proxy in between: the detail says which rule of HTTP the"
        " request breaks. A Sesam node sends none of these."
    )


class MalformedBody(ConnectorError):
    """The body is not a JSON array of objects."""

    status = 400
    code = "malformed-body"
    retry = Retry.NEVER
    advice = (
        "Send a JSON array of objects in UTF-8; a Sesam `json` sink does. The detail names the"
        " first item that is wrong."
    )


class InvalidParameter(ConnectorError):
    """A query parameter of the protocol has a value that it cannot have."""

    status = 400
    code = "invalid-parameter"
    retry = Retry.NEVER
    advice = (
        "Send what the detail asks for. Do not use the protocol's names for your own query"
        " parameters."
    )


class Unauthorized(ConnectorError):
    """The request does not prove that it comes from somebody who may send it."""

    status = 401
    code = "unauthorized"
    retry = Retry.NEVER
    advice = (
        "Give the system in Sesam the `authentication`, `username` and `password` that the"
        " connector's `AUTHENTICATION`, `AUTH_USERNAME` and `AUTH_PASSWORD` have. The detail says"
        " what was wrong."
    )


class DestinationNotAllowed(ConnectorError):
    """The request names a destination that this connector may not write to."""

    status = 403
    code = "destination-not-allowed"
    retry = Retry.NEVER
    advice = "Mend the pipe's `url`, or allow the destination in the connector's settings."


class UnknownRoute(ConnectorError):
    """No connector answers on this path."""

    status = 404
    code = "unknown-route"
    retry = Retry.NEVER
    advice = "Mend the pipe's `url`: it must match the connector's `route`."


class UnknownSubset(ConnectorError):
    """The source has no such subset."""

    status = 404
    code = "unknown-subset"
    retry = Retry.NEVER
    advice = "Mend `subset` in the pipe's `source`, or leave it out."


class MethodNotAllowed(ConnectorError):
    """This path does not answer to this method."""

    status = 405
    code = "method-not-allowed"
    retry = Retry.NEVER
    advice = (
        "Use what the connector is in the pipe: a `source` of type `json`, which sends GET, or a"
        " `sink` of type `json` or a `transform` of type `http`, which send POST."
    )


class FullSyncConflict(ConnectorError):
    """The request does not continue the full sync that is known here.

    The hub stops on it, and later sends the whole full sync again, as a new sequence.
    """

    status = 409
    code = "full-sync-conflict"
    retry = Retry.RESTART
    advice = (
        "Nothing: the hub starts the full sync over. If it goes on, see whether two pipes use the"
        " same address, or two replicas share one."
    )


class TooLarge(ConnectorError):
    """The body, or one entity in it, is larger than the connector accepts."""

    status = 413
    code = "too-large"
    retry = Retry.NEVER
    advice = (
        "Lower the pipe's `batch_size`. Or raise `MAX_BODY_BYTES` or `MAX_ENTITY_BYTES`, and"
        " the container's memory with it."
    )


class UnsupportedMediaType(ConnectorError):
    """The body is not declared as plain JSON in UTF-8."""

    status = 415
    code = "unsupported-media-type"
    retry = Retry.NEVER
    advice = "Send `Content-Type: application/json`, UTF-8, not compressed."


class Rejected(ConnectorError):
    """Some entities can never be accepted as they are.

    Raise it from ``write`` when the target says that the data is wrong for good; use
    ``batch.reject`` where you know which entity is meant. The hub then sends the entities of the
    batch one at a time, so only the bad one is dead-lettered.
    """

    status = 422
    code = "rejected"
    retry = Retry.NEVER
    advice = "Mend the entities that the answer names, or have them dead-lettered."


class TooManyDeletions(ConnectorError):
    """The full sync would delete more of the target than the connector allows."""

    status = 422
    code = "too-many-deletions"
    retry = Retry.NEVER
    advice = (
        "See whether the pipe's source is complete. If it is, raise the sink's"
        " `max_deletion_share` for one run, and run the full sync again."
    )


class Throttled(ConnectorError):
    """The target, or the connector itself, asks for a pause."""

    status = 429
    code = "throttled"
    retry = Retry.WAIT
    advice = (
        "Nothing: the hub tries again. If it goes on, lower the load or raise the target's quota."
    )

    def __init__(self, detail: str = "", *, retry_after: float = 10.0) -> None:
        super().__init__(detail, retry_after=retry_after)


class Bug(ConnectorError):
    """The connector has a bug; its log holds the details under the error id."""

    status = 500
    code = "bug"
    retry = Retry.FEW
    advice = (
        "Find the answer's `error_id` in the connector's log: the line has the class of the"
        " exception and where it was raised. Mend the connector."
    )


class Unsendable(ConnectorError):
    """An entity holds what the hub would not read back unchanged.

    Encoding an entity raises it, before anything of the entity is sent.
    """

    status = 500
    code = "unsendable"
    retry = Retry.FEW
    advice = (
        "Mend the value that the detail names, where it comes from or in the connector. If it is a"
        ' text, an encoder with the policy `"repair"` sends it mended.'
    )


class InconsistentSource(ConnectorError):
    """The source's entities are not what its class says of them."""

    status = 500
    code = "inconsistent-source"
    retry = Retry.FEW
    advice = "Mend the source's `read`, or what its class declares; the detail says which."


class NothingToRead(ConnectorError):
    """A full read found no entities, and the hub would delete all that it has."""

    status = 502
    code = "nothing-to-read"
    retry = Retry.LATER
    advice = "See whether the source's data is there. If none is normal, set `may_be_empty`."


class TargetRefusedUs(ConnectorError):
    """The target refuses the connector itself: its credentials, or the place it writes to."""

    status = 502
    code = "target-refused-us"
    retry = Retry.LATER
    advice = "Mend the connector's credentials or its address; the detail says which."


class TargetUnavailable(ConnectorError):
    """The target cannot be reached, or cannot take entities now."""

    status = 503
    code = "target-unavailable"
    retry = Retry.WAIT
    advice = (
        "Nothing: the hub tries again. If it goes on, see whether the target, or what a source"
        " reads from, is there."
    )

    def __init__(
        self,
        detail: str = "",
        *,
        entities: Sequence[EntityProblem] = (),
        retry_after: float = 10.0,
    ) -> None:
        super().__init__(detail, entities=entities, retry_after=retry_after)


class Busy(TargetUnavailable):
    """The connector holds as much as it can and takes no more requests for the moment."""

    code = "busy"
    advice = (
        "Nothing: the hub tries again. If it goes on, lower the pipes' `batch_size`, or raise"
        " `MAX_BUFFERED_BYTES` and the container's memory with it."
    )


class ShuttingDown(TargetUnavailable):
    """The connector is shutting down and takes no new requests."""

    code = "shutting-down"
    advice = "Nothing: the hub tries again when the connector is back."


class OutcomeUnknown(ConnectorError):
    """The target did not confirm in time: entities may or may not have been delivered."""

    status = 504
    code = "outcome-unknown"
    retry = Retry.WAIT
    advice = (
        "Nothing: the hub sends again. The target may get entities twice: let it recognise them"
        " by `entity.key`."
    )


class TransferBrokenError(Exception):
    """An answer that has begun cannot be finished, and its client must see that.

    No answer has this class, for the status is out already. What serves the application must end
    the connection in the middle of the body. It is logged before it is raised.
    """


# All that is not plainly visible: controls, line separators, what changes the direction of text
# or has no width, surrogates, private and unassigned planes.
_UNSAFE = re.compile(
    r"[^\x20-\x7e\u00a1-\u00ac\u00ae-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff"
    r"\uf900-\ufdcf\ufdf0-\ufefe\uff00-\ufff8\ufffc-\ufffd\U00010000-\U0003fffd]"
)


def printable(text: str, limit: int = 200) -> str:
    """Text that is safe to put in a log line or an answer: control characters escaped, cut short.

    Args:
        text: Any text, also one with control characters or lone surrogates.
        limit: Longest result in characters, before escaping.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isascii() and cut.isprintable():
        return cut  # as nearly every text
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), cut)


def json_path(steps: Iterable[object]) -> str:
    """Where a value stands in a document, safe to show: ``$.orders[0].price``.

    Args:
        steps: Keys of objects, and indexes of arrays as ``int``, from the root on.
    """
    texts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return printable("$" + "".join(texts), 120)
