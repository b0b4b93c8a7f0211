"""What the official clients never send: bare AMQP 1.0 over a socket, valid and not."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service_bus_emulator import Emulator, running
from service_bus_emulator.codec import (
    FALSE,
    NULL,
    TRUE,
    encode_binary,
    encode_described,
    encode_list,
    encode_string,
    encode_symbol,
    encode_uint,
)
from service_bus_emulator.decoding import Described, decode
from service_bus_emulator.frames import AMQP_HEADER, EMPTY_FRAME, SASL_HEADER, frame

OPEN, BEGIN, ATTACH, FLOW, TRANSFER = 0x10, 0x11, 0x12, 0x13, 0x14
DISPOSITION, DETACH, END, CLOSE = 0x15, 0x16, 0x17, 0x18
BODY = encode_described(0x75, encode_binary(b"hello"))


class Raw:
    """A client that sends exactly what it is told."""

    def __init__(self, emulator: Emulator) -> None:
        """Connect."""
        self.sock = socket.create_connection(("127.0.0.1", emulator.port), timeout=5)
        self.emulator = emulator
        self.buffer = b""

    def read(self, count: int) -> bytes:
        """Read exactly this many bytes, fewer at the end of the stream."""
        while len(self.buffer) < count:
            try:
                more = self.sock.recv(65_536)
            except ConnectionResetError:
                more = b""
            if not more:
                break
            self.buffer += more
        result, self.buffer = self.buffer[:count], self.buffer[count:]
        return result

    def frame(self) -> bytes:
        """Read the body of a frame; empty at the end of the stream."""
        head = self.read(8)
        if len(head) < 8:
            return b""
        return self.read(struct.unpack(">I", head[:4])[0] - 8)

    def performative(self) -> tuple[int, list[Any]]:
        """Read a performative: its code and fields; empty frames are left out."""
        while True:
            described = decode(self.frame())[0]
            assert isinstance(described, Described)
            return described.descriptor, described.value

    def until(self, code: int) -> list[Any]:
        """Read until a performative of this kind; returns its fields."""
        while True:
            found, fields = self.performative()
            if found == code:
                return fields

    def send(self, code: int, *fields: bytes, channel: int = 0, payload: bytes = b"") -> None:
        """Send a performative."""
        body = encode_described(code, encode_list(list(fields))) + payload
        self.sock.sendall(frame(channel, body))

    def closed(self) -> bool:
        """Return whether the server has ended the stream."""
        return self.read(1) == b""

    def plain(self, key: str | None = None) -> int:
        """Authenticate with SASL PLAIN; returns the outcome's code."""
        self.sock.sendall(SASL_HEADER)
        assert self.read(8) == SASL_HEADER
        assert self.performative()[0] == 0x40
        text = f"\0{self.emulator.key_name}\0{self.emulator.key if key is None else key}"
        init = encode_list([encode_symbol("PLAIN"), encode_binary(text.encode())])
        self.sock.sendall(frame(0, encode_described(0x41, init), 1))
        code, fields = self.performative()
        assert code == 0x44
        return int(fields[0])

    def open(self, *fields: bytes) -> list[Any]:
        """Exchange headers and OPENs; returns the server's."""
        self.sock.sendall(AMQP_HEADER)
        assert self.read(8) == AMQP_HEADER
        self.send(OPEN, *(fields or (encode_string("raw"),)))
        return self.until(OPEN)

    def session(self) -> Raw:
        """Authenticate, open, and begin a session on channel 0."""
        assert self.plain() == 0
        self.open()
        self.begin()
        return self

    def begin(self) -> None:
        """Begin a session on channel 0."""
        self.send(BEGIN, NULL, encode_uint(0), encode_uint(5_000), encode_uint(5_000))
        self.until(BEGIN)

    def attach(self, address: str, *, receive: bool = False, handle: int = 0) -> list[Any]:
        """Attach a link; returns the server's attach."""
        ours = encode_list([encode_string(address)])
        source = encode_described(0x28, ours if receive else encode_list([]))
        target = encode_described(0x29, encode_list([]) if receive else ours)
        fields = [encode_string(f"link-{handle}"), encode_uint(handle), TRUE if receive else FALSE]
        fields += [NULL, NULL, source, target, NULL, NULL, NULL if receive else encode_uint(0)]
        self.send(ATTACH, *fields)
        return self.until(ATTACH)

    def transfer(self, payload: bytes, number: int | None = 0, *more: bytes, **flags: bool) -> None:
        """Send a transfer on handle 0."""
        identity = [NULL, NULL] if number is None else [encode_uint(number), encode_binary(b"tag")]
        settled = TRUE if flags.get("settled") else FALSE
        rest = [settled, TRUE if flags.get("more") else FALSE, *more]
        self.send(TRANSFER, encode_uint(0), *identity, encode_uint(0), *rest, payload=payload)

    def credit(self, amount: int, *, drain: bool = False) -> None:
        """Give credit on handle 0."""
        window = [encode_uint(0), encode_uint(5_000)] * 2
        link = [encode_uint(0), encode_uint(0), encode_uint(amount), NULL]
        self.send(FLOW, *window, *link, TRUE if drain else FALSE)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with two queues."""
    with running(queues=["queue", "other"]) as made:
        yield made


@pytest.fixture
def connect(emulator: Emulator) -> Iterator[Callable[[], Raw]]:
    """Return a function that connects; everything is closed at the end."""
    made: list[Raw] = []

    def connect_one() -> Raw:
        made.append(Raw(emulator))
        return made[-1]

    yield connect_one
    for raw in made:
        raw.sock.close()


@pytest.fixture
def raw(connect: Callable[[], Raw]) -> Raw:
    """A client with a session."""
    return connect().session()


def condition(error: Any) -> str:
    """Return the condition of an error, which must have all three fields."""
    assert isinstance(error, Described)
    assert len(error.value) == 3
    return str(error.value[0])


# --- what is valid --------------------------------------------------------------------------------


def test_mechanisms_and_open_are_as_in_azure(connect: Callable[[], Raw]) -> None:
    """The mechanisms of every official client are offered; OPEN states frame size and idling."""
    raw = connect()
    raw.sock.sendall(SASL_HEADER)
    assert raw.read(8) == SASL_HEADER
    assert raw.performative()[1] == [["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]]
    raw = connect()
    assert raw.plain() == 0
    _, _, max_frame_size, channel_max, idle_timeout = raw.open()
    assert (max_frame_size, idle_timeout) == (65_536, 240_000)
    assert channel_max > 0


@pytest.mark.parametrize("mechanism", ["MSSBCBS", "ANONYMOUS", "EXTERNAL"])
def test_mechanisms_without_a_password_succeed(connect: Callable[[], Raw], mechanism: str) -> None:
    """They authenticate nobody: the token on $cbs does."""
    raw = connect()
    raw.sock.sendall(SASL_HEADER)
    raw.read(8)
    raw.performative()
    init = encode_list([encode_symbol(mechanism)])
    raw.sock.sendall(frame(0, encode_described(0x41, init), 1))
    assert raw.performative() == (0x44, [0])


def test_frames_may_be_pipelined(connect: Callable[[], Raw]) -> None:
    """OPEN, BEGIN and ATTACH may come in one piece, before our OPEN."""
    raw = connect()
    assert raw.plain() == 0
    raw.sock.sendall(AMQP_HEADER)
    raw.send(OPEN, encode_string("raw"))
    raw.send(BEGIN, *BEGIN_FIELDS)
    terminus = encode_described(0x29, encode_list([encode_string("queue")]))
    attach = (encode_string("link"), encode_uint(0), FALSE, NULL, NULL, NULL, terminus)
    raw.send(ATTACH, *attach)
    assert raw.read(8) == AMQP_HEADER
    assert [raw.performative()[0] for _ in range(4)] == [OPEN, BEGIN, ATTACH, FLOW]


def test_plain_takes_the_key_and_nothing_else(connect: Callable[[], Raw]) -> None:
    """A wrong key is refused with code 1 and the connection closed."""
    raw = connect()
    assert raw.plain("wrong") == 1
    assert raw.closed()
    assert connect().plain() == 0


def test_without_a_token_nothing_can_be_attached(connect: Callable[[], Raw]) -> None:
    """A client that put no token is refused: no source, no target, then a detach with the error."""
    raw = connect()
    raw.open()
    raw.begin()
    for handle, address in enumerate(("queue", "queue/$management", "$control")):
        answer = raw.attach(address, handle=handle)
        assert answer[5:7] == [None, None]
        detach = raw.until(DETACH)
        assert detach[:2] == [handle, True]
        assert condition(detach[2]) == "amqp:unauthorized-access"


@pytest.mark.parametrize("address", ["queue", "/queue", "amqps://host/queue", "QUEUE"])
def test_addresses_come_in_many_forms(raw: Raw, address: str) -> None:
    """Each of them is the same queue; the answer repeats the target and states the limits."""
    answer = raw.attach(address)
    assert answer[6].value[0] == address
    assert answer[10] == 262_144
    assert answer[13] == {"com.microsoft:max-message-batch-size": 262_144}
    assert raw.until(FLOW)[6] > 0


def test_a_settled_transfer_gets_no_answer(emulator: Emulator, raw: Raw) -> None:
    """A client that settles at once is told nothing; the next transfer is answered."""
    before = len(emulator.messages("queue"))
    raw.attach("queue")
    raw.transfer(BODY, 7, settled=True)
    raw.transfer(BODY, 8)
    role, first, last, settled, state = raw.until(DISPOSITION)
    assert (role, first, last, settled, state.descriptor) == (True, 8, 8, True, 0x24)
    assert len(emulator.messages("queue")) == before + 2


def test_delivery_ids_may_repeat_on_continuations(emulator: Emulator, raw: Raw) -> None:
    """Frames of a delivery belong together with and without its id; an aborted one is nothing."""
    before = len(emulator.messages("queue"))
    raw.attach("queue")
    raw.transfer(BODY[:4], 0, more=True)
    raw.transfer(BODY[4:6], 0, more=True)
    raw.transfer(BODY[6:], None)
    assert raw.until(DISPOSITION)[1] == 0
    raw.transfer(BODY[:4], 1, more=True)
    raw.transfer(b"", None, NULL, NULL, NULL, TRUE)
    raw.transfer(BODY, 2)
    assert raw.until(DISPOSITION)[1] == 2
    stored = emulator.messages("queue")[before:]
    assert [m.body for m in stored] == [b"hello", b"hello"]


def test_a_malformed_message_is_rejected_with_all_fields(emulator: Emulator, raw: Raw) -> None:
    """Bytes that are no message are rejected, the link stays open, and a good one is taken."""
    raw.attach("queue")
    for number, bad in enumerate((b"\x00\x53\x75\xa0\xffx", b"x", b"\x00\x53\x10\x45", BODY[:-1])):
        raw.transfer(bad, number)
        rejected = raw.until(DISPOSITION)[4]
        assert rejected.descriptor == 0x25
        assert condition(rejected.value[0]) == "amqp:decode-error"
    before = len(emulator.messages("queue"))
    raw.transfer(BODY, 99)
    assert raw.until(DISPOSITION)[4].descriptor == 0x24
    assert len(emulator.messages("queue")) == before + 1


def test_a_batch_with_one_malformed_message_stores_nothing(emulator: Emulator, raw: Raw) -> None:
    """A batch is stored whole or not at all."""
    before = len(emulator.messages("queue"))
    raw.attach("queue")
    parts = [encode_described(0x75, encode_binary(part)) for part in (BODY, b"junk")]
    batch_format = encode_uint(0x80013700)
    for count, outcome in ((2, 0x25), (1, 0x24)):
        fields = [encode_uint(0), encode_uint(count), encode_binary(b"t"), batch_format]
        raw.send(TRANSFER, *fields, payload=b"".join(parts[:count]))
        assert raw.until(DISPOSITION)[4].descriptor == outcome
    assert len(emulator.messages("queue")) == before + 1


def test_credit_is_topped_up(raw: Raw) -> None:
    """A client that minds its credit never runs out of it."""
    raw.attach("queue")
    given = raw.until(FLOW)[6]
    for number in range(given):
        raw.transfer(BODY, number, settled=True)
    delivery_count, credit = raw.until(FLOW)[5:7]
    assert delivery_count + credit > given


def test_a_range_of_deliveries_is_settled_at_once(emulator: Emulator, connect: Any) -> None:
    """One disposition may settle many; each is confirmed if it was not settled itself."""
    sender, receiver = connect().session(), connect().session()
    sender.attach("other")
    for number in range(3):
        sender.transfer(BODY, number)
        sender.until(DISPOSITION)
    answer = receiver.attach("other", receive=True)
    assert answer[9] == 0
    receiver.credit(10)
    tags = [receiver.until(TRANSFER)[2] for _ in range(3)]
    assert {len(tag) for tag in tags} == {16}
    accepted = encode_described(0x24, encode_list([]))
    receiver.send(DISPOSITION, TRUE, encode_uint(0), encode_uint(2), FALSE, accepted)
    confirmed = [receiver.until(DISPOSITION) for _ in range(3)]
    assert [fields[:4] for fields in confirmed] == [[False, n, n, True] for n in range(3)]
    assert emulator.messages("other") == []


def test_draining_uses_up_the_credit(raw: Raw) -> None:
    """Asked to drain an empty queue, the server advances its count and has no credit left."""
    raw.attach("other", receive=True)
    raw.credit(10, drain=True)
    flow = raw.until(FLOW)
    assert flow[5:7] == [10, 0]
    assert flow[8] is True


def test_detach_end_and_close_are_answered(raw: Raw) -> None:
    """Each is answered in kind; then the server ends the stream."""
    raw.attach("queue")
    raw.send(DETACH, encode_uint(0), TRUE)
    assert raw.until(DETACH)[:2] == [0, True]
    raw.send(END)
    raw.until(END)
    raw.send(CLOSE)
    raw.until(CLOSE)
    assert raw.closed()


def test_empty_frames_are_sent_to_a_client_that_wants_them(connect: Callable[[], Raw]) -> None:
    """A client that states an idle timeout gets empty frames within it."""
    raw = connect()
    assert raw.plain() == 0
    raw.open(encode_string("raw"), NULL, NULL, NULL, encode_uint(100))
    assert raw.read(16) == EMPTY_FRAME * 2


def test_a_silent_client_is_closed(connect: Callable[[], Raw], forward: Any) -> None:
    """Without a byte within the idle timeout the connection is closed; with some it is not."""
    with running(queues=["queue"], idle_timeout=60) as impatient:
        silent, lively = Raw(impatient), Raw(impatient)
        for raw in (silent, lively):
            assert raw.plain() == 0
            assert raw.open()[4] == 60_000
        forward(impatient, 45)
        lively.begin()
        forward(impatient, 45)
        assert condition(silent.until(CLOSE)[0]) == "amqp:connection:forced"
        lively.send(END)
        lively.until(END)
        for raw in (silent, lively):
            raw.sock.close()
    assert connect().plain() == 0


# --- what is not ----------------------------------------------------------------------------------


def fields_frame(code: int, *fields: bytes) -> bytes:
    """Return a frame with a performative."""
    return frame(0, encode_described(code, encode_list(list(fields))))


def nested(depth: int) -> bytes:
    """Return lists in lists."""
    value = b"\x45"
    for _ in range(depth):
        value = encode_list([value])
    return value


BEGIN_FIELDS = (NULL, encode_uint(0), encode_uint(9), encode_uint(9))
GOOD = fields_frame(BEGIN, *BEGIN_FIELDS)
BAD_FRAMES = {
    "too large": b"\x00\x01\x00\x01" + GOOD[4:],
    "too small": b"\x00\x00\x00\x07" + GOOD[4:],
    "data offset beyond the frame": GOOD[:4] + b"\xff" + GOOD[5:],
    "data offset within the header": GOOD[:4] + b"\x01" + GOOD[5:],
    "of an unknown type": GOOD[:5] + b"\x07" + GOOD[6:],
    "no performative": frame(0, b"\x40"),
    "an unknown performative": fields_frame(0x99, *BEGIN_FIELDS),
    "a symbolic descriptor": frame(0, b"\x00\xa3\x01x\x45"),
    "an unknown constructor": frame(0, b"\x00\x53\x11\xc0\x02\x01\x3f"),
    "a list shorter than its count": frame(0, b"\x00\x53\x11\xc0\x03\x09\x40\x40"),
    "a list of four billion": frame(0, b"\x00\x53\x11\xd0\x00\x00\x00\x05\xff\xff\xff\xff\x40"),
    "a string longer than the frame": frame(0, b"\x00\x53\x10\xc0\x04\x01\xa1\xff\x40"),
    "a field missing": fields_frame(BEGIN, *BEGIN_FIELDS[:2]),
    "a field of the wrong type": fields_frame(BEGIN, NULL, encode_string("0"), *BEGIN_FIELDS[2:]),
    "nested too deep": fields_frame(BEGIN, *BEGIN_FIELDS, NULL, NULL, NULL, nested(64)),
    "described without end": frame(0, b"\x00" * 50_000),
    "text that is not UTF-8": fields_frame(OPEN, b"\xa1\x01\xff"),
    "a second OPEN": fields_frame(OPEN, encode_string("again")),
    "for a channel without a session": fields_frame(END),
    "a SASL frame now": frame(0, encode_described(0x41, encode_list([encode_symbol("PLAIN")])), 1),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_bad_frame_closes_its_connection_only(connect: Callable[[], Raw], name: str) -> None:
    """The server says CLOSE with an error and ends the stream; a connection beside it goes on."""
    bystander, raw = connect(), connect()
    for each in (bystander, raw):
        assert each.plain() == 0
        each.open()
    raw.sock.sendall(BAD_FRAMES[name])
    assert condition(raw.until(CLOSE)[0]).startswith("amqp:")
    raw.send(CLOSE)
    assert raw.closed()
    bystander.sock.sendall(GOOD)
    bystander.until(BEGIN)


def test_a_bad_handle_closes_the_connection(raw: Raw) -> None:
    """A transfer on a handle that is not attached is an error; on one that is, it is not."""
    raw.attach("queue")
    raw.transfer(BODY)
    raw.until(DISPOSITION)
    raw.send(TRANSFER, encode_uint(5), payload=BODY)
    assert condition(raw.until(CLOSE)[0]) == "amqp:session:unattached-handle"


def test_a_frame_before_open_is_refused(connect: Callable[[], Raw]) -> None:
    """The first frame must be OPEN."""
    raw = connect()
    raw.sock.sendall(AMQP_HEADER + GOOD)
    raw.read(8)
    assert condition(raw.until(CLOSE)[0]) == "amqp:not-allowed"


@pytest.mark.parametrize("header", [b"GET / HTTP/1.1\r\n", b"AMQP\x00\x00\x09\x01", b"\x16\x03"])
def test_a_wrong_header_is_answered_with_the_right_one(
    connect: Callable[[], Raw], header: bytes
) -> None:
    """The server shows the header it speaks and ends the stream, as the specification demands."""
    raw = connect()
    raw.sock.sendall(header)
    assert raw.read(8) == AMQP_HEADER
    assert raw.closed()
    good = connect()
    good.sock.sendall(AMQP_HEADER)
    assert good.read(8) == AMQP_HEADER
    good.send(OPEN, encode_string("raw"))
    good.until(OPEN)


def test_half_a_frame_waits_for_the_rest(connect: Callable[[], Raw], eventually: Any) -> None:
    """A frame may come byte by byte; one that never ends goes with its connection."""
    slow, broken = connect(), connect()
    for each in (slow, broken):
        assert each.plain() == 0
        each.open()
    broken.sock.sendall(GOOD[:-1])
    broken.sock.shutdown(socket.SHUT_WR)
    assert eventually(broken.closed)
    for byte in GOOD:
        slow.sock.sendall(bytes((byte,)))
    slow.until(BEGIN)
