"""A sink over a real socket: what its target holds is what the hub sent, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sesam_connector_sdk import Entity
from sesam_connector_sdk.testing import opened
from sesam_connector_sdk.transit import EntityEncoder
from tests.notes import NotesSettings, NotesSink
from tests.web.test_transforms import EXACT
from tests.wire import Client

Serving = Callable[..., Client]
FIRST, SECOND = EXACT[2:-2].split(b",\n")


class Decoded(NotesSink):
    """Notes what it has decoded."""

    def note(self, entity: Entity) -> None:
        """Append one entity, made of its data."""
        self.file.write(EntityEncoder(decimals="number").encode(entity.data) + b"\n")


class Payload(NotesSink):
    """Notes what is left without the reserved fields."""

    def note(self, entity: Entity) -> None:
        """Append one entity's payload."""
        self.file.write((entity.payload() or b"") + b"\n")


def exactly(document: bytes) -> Any:
    """JSON with every digit of a number: 1.10 is not 1.1, and 1E5 not 100000."""
    return json.loads(document, parse_float=lambda text: Decimal(text).as_tuple())


def held(serving: Serving, kind: type[NotesSink], file: Path, *, chunked: bool) -> list[bytes]:
    """What the target of such a sink holds after one request."""
    body = (EXACT[at : at + 7] for at in range(0, len(EXACT), 7))
    with opened(kind(NotesSettings(notes_file=str(file)))) as sink:
        reply = serving(sink).send(body=body if chunked else EXACT)
        assert reply.document == {"delivered": 2, "skipped": 0}
        return file.read_bytes().splitlines()


@pytest.mark.parametrize("chunked", [False, True])
def test_entities_reach_the_target_byte_for_byte(
    chunked: bool, serving: Serving, tmp_path: Path
) -> None:
    """Thirty digits, 1.10, 1E5, escapes and astral characters, however the body is cut.

    Seen to fail when an entity's bytes are those of its decoded data.
    """
    assert held(serving, NotesSink, tmp_path / "notes", chunked=chunked) == [FIRST, SECOND]


def test_entities_that_are_decoded_reach_the_target_exactly(
    serving: Serving, tmp_path: Path
) -> None:
    """Every digit of every number, every character of every text, all reserved fields.

    Seen to fail when numbers are decoded as floats.
    """
    notes = held(serving, Decoded, tmp_path / "notes", chunked=False)

    assert [exactly(note) for note in notes] == [exactly(FIRST), exactly(SECOND)]


def test_a_payload_has_the_values_as_they_came(serving: Serving, tmp_path: Path) -> None:
    """Without the reserved fields, and with the spelling of every value that stays.

    Seen to fail when a payload is made of decoded data.
    """
    first, second = held(serving, Payload, tmp_path / "notes", chunked=False)

    assert exactly(first) == {k: v for k, v in exactly(FIRST).items() if k != "_id"}
    assert FIRST[FIRST.index(b'"n":') : -1] in first
    assert second == b'{"x":1.10e+3,"$ids":["~:a:1"]}'
