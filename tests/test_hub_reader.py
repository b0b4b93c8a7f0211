"""The tests' own reader reads every recorded body as the hub's parser did."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests import hub_reader
from tests.hub_reader import Nanoseconds, Ni, Uri


def body_of(case: dict[str, Any]) -> bytes:
    """The body of a recorded case."""
    if "body_hex" in case:
        return bytes.fromhex(case["body_hex"])
    if "depth" in case:
        return b'[{"a":%b1%b}]' % (b"[" * (case["depth"] - 2), b"]" * (case["depth"] - 2))
    return str(case["body"]).encode()


def recorded(value: Any) -> Any:
    """A recorded value as the reader gives it."""
    if isinstance(value, list):
        return [recorded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$type" not in value:
        return {key: recorded(each) for key, each in value.items()}
    kinds: dict[str, Callable[[Any], Any]] = {
        "decimal": Decimal,
        "nanoseconds_since_epoch": Nanoseconds,
        "uuid": uuid.UUID,
        "bytes": base64.b64decode,
        "uri": Uri,
        "ni": Ni,
    }
    return kinds[value["$type"]](value["value"])


def exact(value: Any) -> str:
    """A value with its types; 1.50 is not 1.5, and 1 is not True."""
    return repr(value)


def test_every_recorded_body_is_read_as_the_hub_read_it(shared: Path) -> None:
    """The verdict, the entities where it accepts, how many it took before where it rejects.

    Seen to fail when the reader takes an offset for one, or stops at U+0000 in values only.
    """
    cases = json.loads((shared / "facts" / "hub-parser-cases.json").read_text())["cases"]
    wrong = []
    for case in cases:
        taken, accepted = hub_reader.read(body_of(case))
        found: list[Any] = ["accepted" if accepted else "rejected"]
        expected = [case["outcome"]]
        if "entities" in case:
            found.append(exact(taken))
            expected.append(exact(recorded(case["entities"])))
        elif not accepted:
            found.append(len(taken))
            expected.append(case["entities_before_error"])
        if found != expected:
            wrong.append((case, found))

    assert len(cases) >= 150
    assert wrong == []
