"""Holds a source to what its class declares, by reading it as the hub would.

Imports this room's ``sources`` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sesam_connector_sdk.source import Source

from .sources import pull

_SAMPLES = 12
_Entities = list[dict[str, Any]]


def prove_capabilities(source: Source[Any], **circumstances: Any) -> None:
    """Read a source as a hub that trusts its declared capabilities; fail where it would lose.

    The source reads everything, everything since some of the entities, and, if it is chronological,
    page by page with pages of several sizes. No entity may be missing, too early or out of order,
    and each read must be answered. Its data must not change meanwhile, and have entities with the
    same ``_updated`` if that can be.

    Args:
        source: The source, opened, with data of at least two different ``_updated`` if it has a
            ``since``.
        circumstances: Arguments of ``pull``: ``path``, ``query``, ``headers``, ``settings``.

    Raises:
        AssertionError: It is not as it declares; the message says how.
    """
    reading = _Reading(source, circumstances)
    everything = reading.pull()
    if source.since is None:
        assert reading.pull() == everything, "two full reads differ"  # noqa: S101
        return
    moments = reading.moments(everything)
    if len(moments) < 2:
        raise AssertionError("give the source entities of two different _updated, at the least")
    _sorted_for_the_hub(reading, moments)
    for moment in moments[:: max(1, len(moments) // _SAMPLES)] + moments[-1:]:
        _nothing_missing_since(reading, everything, moment)
    if source.is_chronological:
        for limit in sorted({1, 2, 3, max(1, len(everything) // 3), len(everything)}):
            _pages_are_the_whole(reading, everything, limit)


@dataclass(frozen=True)
class _Reading:
    source: Source[Any]
    circumstances: dict[str, Any]

    def pull(self, **asked: Any) -> _Entities:
        return pull(self.source, **asked, **self.circumstances).entities

    def value(self, updated: Any) -> Any:
        assert self.source.since is not None  # noqa: S101
        return self.source.since.decode(str(updated))

    def moments(self, entities: _Entities) -> list[Any]:
        """Each different ``_updated`` as the hub has it, the smallest first."""
        return sorted({each["_updated"] for each in entities}, key=self.value)


def _sorted_for_the_hub(reading: _Reading, moments: list[Any]) -> None:
    """A comparable ``_updated`` is sorted by the hub as by the source: numbers, or bytes."""
    if not reading.source.capabilities()["is_since_comparable"]:
        return
    keys = [each if isinstance(each, int) else each.encode() for each in moments]
    for (before, after), (earlier, later) in zip(pairwise(moments), pairwise(keys), strict=True):
        if type(earlier) is not type(later) or not earlier < later:
            raise AssertionError(f"to the hub, _updated {before!r} is not before {after!r}")


def _nothing_missing_since(reading: _Reading, everything: _Entities, moment: Any) -> None:
    border = reading.value(moment)
    found = reading.pull(since=moment)
    for entity in found:
        if reading.value(entity["_updated"]) < border:
            raise AssertionError(f"since {moment!r} gives {_named(entity)}, which is older")
    for entity in everything:
        if reading.value(entity["_updated"]) > border and entity not in found:
            raise AssertionError(f"since {moment!r} does not give {_named(entity)}")


def _pages_are_the_whole(reading: _Reading, everything: _Entities, limit: int) -> None:
    read: _Entities = []
    for page in _pages(reading, limit, most=len(everything) + 1):
        read += page
    for entity, expected in zip(read, everything, strict=False):
        if entity != expected:
            raise AssertionError(
                f"in pages of {limit}, {_named(entity)} stands where {_named(expected)} should"
            )
    if len(read) != len(everything):
        raise AssertionError(f"pages of {limit} give {len(read)} of {len(everything)} entities")


def _pages(reading: _Reading, limit: int, most: int) -> Iterator[_Entities]:
    page = reading.pull(limit=limit)
    for _ in range(most):
        if not page:
            return
        yield page
        page = reading.pull(limit=limit, since=page[-1]["_updated"])
    raise AssertionError(f"pages of {limit} do not come to an end")


def _named(entity: dict[str, Any]) -> str:
    return f"{entity['_id']!r} of {entity['_updated']!r}"
