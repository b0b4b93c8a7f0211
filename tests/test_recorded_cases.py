"""Recorded cases: what the hub's own parser does with a body, and a public suite of JSON texts.

The data lies beside the project; without it these tests are skipped, with the reason printed.
"""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from sesam_connector_sdk import Batch, ConnectorError, Entity

STRICTER = {
    '{"_id":"1"}': "a single object is refused: the protocol says an array, also for one entity",
    "{}": "the same",
    "[1,2]": "the hub drops what is no object in silence, a sink must not",
    "[null]": "the same",
    '["x"]': "the same",
    '[[{"_id":"n"}]]': "the same: this entity would be lost",
    '[{"_id":"1"},null,{"_id":"2"}]': "the same",
    '[1,null,"x",[{}]]': "the same",
    "[{}]": "an entity without an _id cannot be named, keyed or dead-lettered",
    '[{"_id":1}]': "an _id is a string",
}
"""Bodies that the hub's parser accepts and the SDK refuses by design, and why."""

LOOSER = {
    '[{"_id":"1","a":1e400}]': "an exact number; only a float cannot hold it",
    '[{"_id":"1","a":-1e400}]': "the same",
}
"""Bodies that the hub's parser refuses and the SDK accepts by design, and why.

So it does with every text that begins with ~: what such a tag means, the target knows.
"""


def read(body: bytes) -> list[Entity] | ConnectorError:
    """The entities of a body as a sink is given them, used in every way; or the refusal."""
    batch = Batch(io.BytesIO(body))
    try:
        batch.validate()
        found = list(batch)
        for entity in found:
            _ = (entity.data, entity.key, entity.deleted, entity.payload(), entity.payload("x"))
    except ConnectorError as error:
        return error
    return found


def with_id(body: bytes) -> bytes:
    """The same body with an ``_id`` in its first entity, where the case is about something else."""
    return body.replace(b"[{", b'[{"_id":"1",', 1) if body[:4] in {b'[{"a', b'[{"~'} else body


def bodies(case: dict[str, Any]) -> bytes:
    """The body of a recorded case."""
    if "body_hex" in case:
        return bytes.fromhex(case["body_hex"])
    if "depth" in case:
        return b'[{"a":%b1%b}]' % (b"[" * (case["depth"] - 2), b"]" * (case["depth"] - 2))
    return str(case["body"]).encode()


def number(value: Any) -> Any:
    """A recorded value; a tagged decimal as the number that it is."""
    tagged = isinstance(value, dict) and value.get("$type") == "decimal"
    return Decimal(value["value"]) if tagged else value


def differs_by_design(case: dict[str, Any], body: bytes, *, accepted: bool) -> bool:
    """Whether the SDK is known to answer otherwise."""
    if accepted:
        return body.decode("latin-1") in STRICTER
    tagged = str(case.get("value", "")).startswith("~")
    return tagged or body.decode("latin-1") in LOOSER


def test_a_body_is_accepted_as_the_hub_accepts_it(shared: Path) -> None:
    """Every recorded body: the same verdict as the hub's parser, except where the data says why."""
    cases = json.loads((shared / "facts" / "hub-parser-cases.json").read_text())["cases"]
    wrong = []
    for case in cases:
        body = with_id(bodies(case))
        accepted = case["outcome"] == "accepted"
        expected = accepted != differs_by_design(case, body, accepted=accepted)
        found = read(body)
        if isinstance(found, list) != expected:
            wrong.append((body[:80], case["outcome"], found))

    assert len(cases) >= 150
    assert wrong == []


def test_the_stated_differences_are_real(shared: Path) -> None:
    """Each reason belongs to a recorded body that the hub and the SDK do answer otherwise."""
    cases = json.loads((shared / "facts" / "hub-parser-cases.json").read_text())["cases"]
    recorded = {with_id(bodies(case)).decode("latin-1"): case["outcome"] for case in cases}

    for body in STRICTER:
        assert recorded[body] == "accepted"
        assert isinstance(read(body.encode()), ConnectorError)
    for body in LOOSER:
        assert recorded[body] == "rejected"
        assert isinstance(read(body.encode()), list)


def test_values_are_read_as_the_hub_reads_them(shared: Path) -> None:
    """Plain strings and numbers are equal; but a text goes on behind a NUL, and is not cut."""
    cases = json.loads((shared / "facts" / "hub-parser-cases.json").read_text())["cases"]
    compared = 0
    for case in cases:
        if case["group"] not in {"string", "number", "text"} or case["outcome"] != "accepted":
            continue
        if "NUL" in case.get("name", "") or str(case.get("value", "")).startswith("~"):
            continue
        found = read(with_id(bodies(case)))
        assert isinstance(found, list)
        assert found[0].data.get("a") == number(case["entities"][0].get("a"))
        compared += 1

    assert compared > 25


def test_the_public_suite_of_json_texts_is_read_as_it_says(shared: Path) -> None:
    """As a field's value: what must be accepted is, verbatim; what must not be is refused.

    What the suite leaves open may go either way, but never as anything else than a refusal.
    """
    folder = shared / "suites" / "JSONTestSuite" / "test_parsing"
    wrong, counts = [], dict.fromkeys("yni", 0)
    for file in sorted(folder.glob("*.json")):
        text = file.read_bytes()
        found = read(b'[{"_id":"1","x":' + text + b"}]")
        verdict = file.name[0]
        counts[verdict] += 1
        if verdict == "y":
            good = isinstance(found, list) and found[0].payload("x") == text.strip(b" \t\r\n")
        else:
            good = verdict == "i" or isinstance(found, ConnectorError)
        if not good:
            wrong.append((file.name, found))

    assert wrong == []
    assert counts["y"] > 90
    assert counts["n"] > 180


def test_the_public_suite_as_whole_bodies_breaks_nothing(shared: Path) -> None:
    """Whatever the body is: entities or a refusal, never another exception."""
    folder = shared / "suites" / "JSONTestSuite" / "test_parsing"
    for file in folder.glob("*.json"):
        assert isinstance(read(file.read_bytes()), list | ConnectorError)
        if file.name.startswith("n_"):
            assert isinstance(read(file.read_bytes()), ConnectorError), file.name
