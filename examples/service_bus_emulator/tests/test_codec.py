"""AMQP types there and back, and messages taken apart."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from service_bus_emulator import codec
from service_bus_emulator.decoding import DecodeError, Described, Symbol, decode, skip
from service_bus_emulator.message import Message, Stamp, dead_lettered, stamped, timing
from service_bus_emulator.sections import count_batch, split_batch

IDENTITY = uuid.UUID(int=7)
VALUES: list[tuple[bytes, Any]] = [
    (codec.NULL, None),
    (codec.encode_bool(True), True),
    (codec.encode_bool(False), False),
    (b"\x56\x01", True),
    (codec.encode_ubyte(200), 200),
    (codec.encode_ushort(60_000), 60_000),
    (codec.encode_uint(0), 0),
    (codec.encode_uint(255), 255),
    (codec.encode_uint(256), 256),
    (codec.encode_ulong(0), 0),
    (codec.encode_ulong(7), 7),
    (codec.encode_ulong(2**64 - 1), 2**64 - 1),
    (codec.encode_int(-5), -5),
    (codec.encode_long(-(2**63)), -(2**63)),
    (b"\x54\xff", -1),
    (b"\x55\xfe", -2),
    (b"\x51\x80", -128),
    (b"\x61\xff\xff", -1),
    (b"\x72\x3f\x80\x00\x00", 1.0),
    (b"\x82\x3f\xf0\x00\x00\x00\x00\x00\x00", 1.0),
    (b"\x73\x00\x00\x00\xe5", "å"),
    (b"\x74abcd", b"abcd"),
    (b"\x84abcdefgh", b"abcdefgh"),
    (b"\x94" + b"x" * 16, b"x" * 16),
    (codec.encode_timestamp(1.5), 1_500),
    (codec.encode_timestamp(1.0009), 1_000),
    (codec.encode_uuid(IDENTITY), IDENTITY),
    (codec.encode_binary(b"x"), b"x"),
    (codec.encode_binary(b"x" * 300), b"x" * 300),
    (codec.encode_string("grüß"), "grüß"),
    (codec.encode_string("x" * 300), "x" * 300),
    (codec.encode_symbol("name"), Symbol("name")),
    (codec.encode_list([]), []),
    (codec.encode_list([codec.NULL] * 300), [None] * 300),
    (codec.encode_map([(codec.encode_string("a"), codec.TRUE)]), {"a": True}),
    (codec.EMPTY_MAP, {}),
    (codec.encode_symbols(["a", "b"]), ["a", "b"]),
    (b"\xe0\x04\x02\x50\x01\x02", [1, 2]),
    (b"\xe0\x07\x02\x00\x53\x25\x50\x01\x02", [Described(0x25, 1), Described(0x25, 2)]),
    (codec.encode_described(0x24, codec.EMPTY_LIST), Described(0x24, [])),
]


@pytest.mark.parametrize(("encoded", "value"), VALUES)
def test_every_type_is_decoded_and_skipped(encoded: bytes, value: Any) -> None:
    """The value and its end are found, with its Python type; cut short it is an error."""
    decoded, end = decode(b"##" + encoded + b"##", 2)
    assert (decoded, end) == (value, len(encoded) + 2)
    assert type(decoded) is type(value)
    assert skip(encoded, 0) == len(encoded)
    if len(encoded) > 1:
        with pytest.raises(DecodeError):
            decode(encoded[:-1])
        with pytest.raises(DecodeError):
            skip(encoded[:-1], 0)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x3f",
        b"\x00",
        b"\xc1\x02\x01\x40",
        b"\xa1\x01\xff",
        b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff",
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",
        b"\xc0\x03\x01\x40\x40",
        b"\xc1\x05\x02\x45\x40\x40\x40",
    ],
)
def test_malformed_values_are_errors(encoded: bytes) -> None:
    """None of them is decoded, and none raises anything else."""
    assert decode(b"\xc0\x02\x01\x40") == ([None], 4)
    assert decode(b"\xf0\x00\x00\x00\x05\x00\x00\x00\x01\x40") == ([None], 10)
    with pytest.raises(DecodeError):
        decode(encoded)


def test_a_map_key_that_cannot_be_one_is_an_error() -> None:
    """A list as a key has no meaning in Python; that is the sender's error, not ours."""
    good = codec.encode_map([(codec.encode_string("k"), codec.NULL)])
    assert decode(good)[0] == {"k": None}
    with pytest.raises(DecodeError):
        decode(codec.encode_map([(codec.EMPTY_LIST, codec.NULL)]))


DATA = codec.encode_described(0x75, codec.encode_binary(b"body"))


def test_only_header_and_annotations_are_rebuilt() -> None:
    """What follows them is left byte for byte; the sender's own annotations and header stay."""
    header = codec.encode_described(
        0x70, codec.encode_list([codec.TRUE, codec.NULL, codec.encode_uint(5_000)])
    )
    mine = (codec.encode_symbol("x-mine"), codec.encode_int(1))
    forged = (codec.encode_symbol("x-opt-sequence-number"), codec.encode_long(99))
    annotations = codec.encode_described(0x72, codec.encode_map([mine, forged]))
    result = stamped(header + annotations + DATA, Stamp(7, 100.0, 2, 160.0))
    assert result.endswith(DATA)
    message = Message(result, 0, 0, 0.0)
    assert message.annotations == {
        "x-mine": 1,
        "x-opt-sequence-number": 7,
        "x-opt-enqueue-sequence-number": 7,
        "x-opt-enqueued-time": 100_000,
        "x-opt-locked-until": 160_000,
        "x-opt-message-state": 0,
    }
    assert message.time_to_live == 5
    assert decode(result)[0].value[4] == 2


def test_dead_lettering_replaces_an_older_reason() -> None:
    """A message dead-lettered twice has the last reason only."""
    once = dead_lettered(DATA, "a", "b")
    twice = dead_lettered(once, "c", "d")
    expected = {"DeadLetterReason": "c", "DeadLetterErrorDescription": "d"}
    assert Message(twice, 0, 0, 0.0).application_properties == expected
    assert Message(twice, 0, 0, 0.0).body == b"body"


@pytest.mark.parametrize("size", [0, 255, 256, 70_000])
def test_batches_are_counted_and_split(size: int) -> None:
    """Short and long data sections, with or without an envelope around them."""
    inner = [codec.encode_described(0x75, codec.encode_binary(b"x" * size))] * 3
    sections = b"".join(codec.encode_described(0x75, codec.encode_binary(part)) for part in inner)
    envelope = codec.encode_described(0x73, codec.encode_list([codec.encode_string("id")]))
    assert split_batch(envelope + sections) == inner
    assert count_batch(sections) == 3
    with pytest.raises(DecodeError):
        split_batch(sections[:-1])
    with pytest.raises(DecodeError):
        count_batch(sections[:-1])
    with pytest.raises(DecodeError):
        split_batch(codec.encode_described(0x75, codec.encode_string("text")))


def test_a_descriptor_may_be_written_long() -> None:
    """A section is known by its number, however wide that was written."""
    wide = b"\x00\x80" + (0x75).to_bytes(8, "big") + codec.encode_binary(b"body")
    assert Message(wide, 0, 0, 0.0).body == b"body"
    assert timing(wide) == (None, None)
    wrong_types = [codec.encode_described(code, codec.TRUE) for code in (0x70, 0x72, 0x73, 0x74)]
    symbolic, bare, unknown = b"\x00\xa3\x04data\x40", b"\x40\x40\x40\x40", b"\x00\x53\x10\x45"
    for wrong in (symbolic, bare, unknown, *wrong_types):
        with pytest.raises(DecodeError):
            timing(wrong)
    value = codec.encode_described(0x77, codec.encode_string("text"))
    assert Message(value, 0, 0, 0.0).body == b"text"
    sequence = codec.encode_described(0x76, codec.encode_list([codec.TRUE]))
    assert Message(sequence, 0, 0, 0.0).body == codec.encode_list([codec.TRUE])
