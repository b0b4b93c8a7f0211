"""P8: a secret, or a payload, that is put wherever one can be comes back nowhere.

In no answer and in no log line, of text or of JSON. Real processes at LOG_LEVEL=DEBUG, so with all
that the libraries have to say; ``tests/test_settings.py`` holds the promise for ``repr``. Not put:
where text is shown on purpose, to mend it by, which is the path, an ``_id``, the media type of a
body, the value of a flag of the protocol, and the names that pipe and hub give to a request.

Breaks that were tried: a bug's line with the exception's text; Python's own hook for
threads; a refusal of credentials that quotes them; the query in the log.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import signal
import socket
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service_bus_emulator import Emulator, QueueSpec, faults, running

from tests.server.hostile import process
from tests.wire import Client

ROOT = str(Path(__file__).parents[2])
"""Where the code's files are, which the log names; somebody may keep them in a folder "canary"."""

CANARY = "Zq7CANARY+/w=="
FORMS = (
    "CANARY",
    base64.b64encode(f"hub:{CANARY}".encode()).decode(),
    base64.b64encode(CANARY.encode()).decode(),
    urllib.parse.quote(CANARY, safe=""),
    CANARY.encode().hex(),
)
"""What is looked for, whatever its case."""

QUERY = "?token=" + urllib.parse.quote(CANARY) + "&CANARY=1&previous_request_id=CANARY"
HEADERS = (
    f"Authorization: Basic {FORMS[1]}",
    f"Authorization: Bearer {CANARY}",
    f"Proxy-Authorization: {CANARY}",
    f"Cookie: session={CANARY}",
    f"X-Api-Key: {CANARY}",
    f"Referer: http://x/?{CANARY}",
    f"User-Agent: {CANARY}",
    f"X-Forwarded-For: {CANARY}",
    f"Forwarded: for={CANARY}",
    f"X-Request-Id: {CANARY}\xff",
    f"Accept: {CANARY}",
    f"Range: {CANARY}",
    f"If-Modified-Since: {CANARY}",
    f"Content-Encoding: {CANARY}",
    f"Content-Type: application/json; charset={CANARY}",
    f"Expect: {CANARY}",
    f"traceparent: {CANARY}",
    f"traceparent: 00-{'0' * 32}-{'1' * 16}-01-{CANARY}",
    f"tracestate: x={CANARY}",
    f"baggage: x={CANARY}",
    f"Connection: {CANARY}",
    f"Upgrade: {CANARY}",
    # Refused by the parser, some of them in words of waitress that quote the line.
    f"Transfer-Encoding: {CANARY}",
    f"Content-Length: {CANARY}",
    f"Host: {CANARY}",
    f"X-A: {CANARY}\nX-B: c",
    f"X-A: {CANARY}\0",
    f"X_A: {CANARY}",
    f" {CANARY}: x",
    f"{CANARY}",
    f"{CANARY} : x",
    f"X-A: {CANARY * 20_000}",
)
VALUES = (
    f'"{CANARY}"',
    f'{{"CANARY":["{CANARY}"],"CANARY":"{CANARY}"}}',
    f'["{CANARY}",NaN]',
    f'["{CANARY}",1e400]',
    f'"{CANARY}\\ud800"',
    f'"{CANARY}\\x"',
    f'"{CANARY}\x01"',
    f'"{CANARY}',
    f'"{CANARY * 20_000}"',
    '["CANARY",' * 300 + "]" * 300,
    '{"CANARY":' * 200_000,
    f"CANARY{CANARY}",
    f'"{CANARY}",CANARY:1',
)
ORDERS = (
    *(
        "reject",
        "fail",
        "skip",
        "stop",
        "Throttled",
        "Rejected",
        "OutcomeUnknown",
        "TargetRefusedUs",
    ),
    *("ValueError", "TargetAwayError", "thread", "warning"),  # whose texts hold the secret
)
FORMATS = ("text", "json")


LOGINS = (
    f"Authorization: Basic {FORMS[1]}",
    f"Authorization: Basic {FORMS[2]}",
    f'Authorization: Digest username="hub", nonce="{CANARY}", response="{CANARY}", uri="/"',
    f'Authorization: Digest username="{CANARY}", uri="/?{CANARY}", qop=auth, algorithm={CANARY}',
    f"Authorization: {CANARY} {CANARY}",
)


def bodies() -> Iterator[bytes]:
    """Batches with the secret in a value or a key; some are taken, most are not."""
    for value in VALUES:
        yield f'[{{"_id":"1","CANARY":{value}}}]'.encode("utf-8", "surrogateescape")
        yield value.encode()
    for order in ORDERS:
        yield json.dumps([{"_id": "1", "do": order, "x": CANARY}]).encode()
    yield f'[{{"CANARY":"{CANARY}"}}]'.encode()
    yield f'[{{"_id":7,"x":"{CANARY}"}}]'.encode()
    yield f'[{{"_id":"","x":"{CANARY}"}}]'.encode()
    yield f'[{{"_id":"1","_deleted":"{CANARY}"}}]'.encode()
    yield f'[{{"_id":"1","x":"{CANARY}'.encode() + b"\xff\xfe"
    yield b"\xef\xbb\xbf" + f'["{CANARY}"]'.encode()
    yield f'[{{"_id":"1","x":"{CANARY}"}}]'.encode("utf-16")
    yield f'["{CANARY}"]'.encode() * 20_000
    yield b""


def requests(path: str) -> Iterator[bytes]:
    """Everything that somebody might send, each with the secret in its query string at least."""
    body = f'[{{"_id":"1","x":"{CANARY}"}}]'.encode()
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"):
        for where in (
            path,
            "/",
            "/healthz",
            "/readyz",
            "/metrics",
            "//x",
            "/%00",
            "/%0a",
            "/../x",
            "/%ff",
        ):
            yield whole(f"{method} {where}{QUERY} HTTP/1.1", body)
    for header in HEADERS:
        yield whole(f"POST {path}{QUERY} HTTP/1.1", body, header)
    for each in bodies():
        yield whole(f"POST {path}{QUERY} HTTP/1.1", each)
        yield chunked(f"POST {path}{QUERY} HTTP/1.1", each)
    for line in (
        f"POST {path}{QUERY} HTTP/2.0",
        f"POST {path}{QUERY}",
        f"POST {path}{QUERY}\x00 HTTP/1.1",
        f"POST {path}{QUERY}\n HTTP/1.1",
        f"POST {path}{QUERY} {CANARY} HTTP/1.1",
        f"POST http://{CANARY}@[::1{QUERY} HTTP/1.1",
        f"POST {CANARY} HTTP/1.1",
        f"{CANARY} / HTTP/1.1",
        f"POST {path}{QUERY}&is_full=perhaps HTTP/1.1",
        f"POST {path}{QUERY}#{CANARY} HTTP/1.1",
        f"POST {path}{QUERY * 20_000} HTTP/1.1",
    ):
        yield whole(line, body)
    yield f"POST {path}{QUERY} HTTP/1.1\r\nX-A: {CANARY}".encode()
    yield whole(f"POST {path}{QUERY} HTTP/1.1", body)[:-3]


def whole(line: str, body: bytes, *headers: str) -> bytes:
    """A request with its length; the last on its connection."""
    usual = ("Host: x", "Connection: close", f"Content-Length: {len(body)}")
    return "\r\n".join((line, *usual, *headers, "", "")).encode("latin-1") + body


def chunked(line: str, body: bytes) -> bytes:
    """The same in a chunk, with the secret between the chunks as well."""
    usual = ("Host: x", "Connection: close", "Transfer-Encoding: chunked", "", "")
    size = f'{len(body):x};a="{CANARY}"\r\n'.encode() if body else b""
    end = f"\r\n0\r\nX-Trailer: {CANARY}\r\n\r\n".encode() if body else b"0\r\n\r\n"
    return "\r\n".join((line, *usual)).encode("latin-1") + size + body + end


def told(client: Client, request: bytes) -> bytes:
    """All that came for a request whose sender says that no more will come."""
    came = b""
    with client.connect() as connection, contextlib.suppress(ConnectionResetError):
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            came += piece
    return came


def sent(client: Client, asked: Iterable[bytes]) -> list[bytes]:
    """The answers to many requests, a few at a time."""
    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(lambda each: told(client, each), asked))


def assert_silent(texts: Iterable[str]) -> None:
    """Check that no form of the secret is in any line of any text; show nothing but the place."""
    here = (text.replace(ROOT, "").lower() for text in texts)
    for (number, text), form in itertools.product(enumerate(here, 1), FORMS):
        place = text.find(form.lower())
        if place >= 0:
            line = text.count("\n", 0, place) + 1
            pytest.fail(f"a secret is in line {line} of text {number}", pytrace=False)


def statuses(answers: Iterable[bytes]) -> set[str]:
    """Those that the answers start with; empty for no answer."""
    return {answer[9:12].decode() for answer in answers}


def test_the_secret_is_found_if_it_is_there() -> None:
    """In each of the forms that the other tests look for."""
    for form in FORMS:
        with pytest.raises(pytest.fail.Exception, match="line 2 of text 1"):
            assert_silent([f"INFO x: ready\nINFO x: it is {form}, yes\n"])


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_sink_tells_nobody(log_format: str, tmp_path: Path) -> None:
    """Over hundreds of requests of all kinds: taken, refused by each layer, failed by a bug.

    Seen to fail when waitress's words are passed on, when the query is logged, when the text of an
    exception is, and, for the target's own threads, with Python's hook for them.
    """
    (tmp_path / "token").write_text(CANARY)
    env = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": log_format, "MAX_ENTITY_BYTES": "100000"}
    env["NOTES_TOKEN_FILE"] = str(tmp_path / "token")
    limits = {"MAX_BODY_BYTES": "300000", "MAX_BUFFERED_BYTES": "900000"}
    with process(tmp_path / "process", ["ObedientSink"], **env, **limits) as connector:
        answers = sent(connector.listening(), requests("/"))
        assert connector.end(signal.SIGTERM) == 0

    expected = {"200", "400", "405", "413", "415", "422", "429", "431", "500", "502", "503", "504"}
    assert statuses(answers) >= expected
    assert_silent(answer.decode("latin-1") for answer in answers)
    assert_silent([connector.output()])
    assert len(connector.output().splitlines()) > 100
    assert "the thread target ended (ValueError)" in connector.output()
    assert "Traceback" not in connector.output()


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_credentials_are_told_nobody(scheme: str, tmp_path: Path) -> None:
    """The password is the secret, and so is what those without it try.

    Seen to fail when the reason of a refusal quotes the header.
    """
    env = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "AUTHENTICATION": scheme}
    door = {"AUTH_USERNAME": "hub", "AUTH_PASSWORD": CANARY}
    with process(tmp_path / "process", ["ObedientSink"], **env, **door) as connector:
        client = connector.listening()
        asked = [*requests("/"), *(whole("POST / HTTP/1.1", b"[]", each) for each in LOGINS)]
        answers = sent(client, asked)
        assert connector.end(signal.SIGTERM) == 0

    accepted = {"200"} if scheme == "basic" else set()
    assert statuses(answers[-len(LOGINS) :]) == {"401", *accepted}
    assert_silent(answer.decode("latin-1") for answer in answers)
    assert_silent([connector.output()])


CONNECTION = (
    "Endpoint=sb://{0};SharedAccessKeyName=all;SharedAccessKey={1};UseDevelopmentEmulator=true"
)
FAULTS = (
    faults.Throttle(),
    faults.QuotaExceeded(),
    faults.Reject("amqp:not-allowed", f"the key {CANARY} is not allowed"),
    faults.Reject("com.microsoft:argument-error", f"a value {CANARY} is wrong"),
    faults.Detach("amqp:unauthorized-access", f"{CANARY} is unauthorized"),
    faults.CloseConnection(),  # its description is logged by the client as a warning
    faults.RefuseAttach("amqp:unauthorized-access", f"{CANARY} may not"),
    faults.Reset(),
    faults.DropMidBatch(),
    faults.AcceptThenDrop(),
    faults.Silence(),
    faults.LoseCredentials(),
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A Service Bus whose key is the secret, with a queue for each fault."""
    queues = [QueueSpec("good"), *(QueueSpec(f"fault-{at}") for at in range(len(FAULTS)))]
    with running(queues=queues, key_name="all", key=CANARY) as made:
        yield made


def service_bus(folder: Path, variables: Mapping[str, str], paths: Iterable[str]) -> list[str]:
    """What a Service Bus sink tells: its answers, and its log as the last."""
    body = json.dumps([{"_id": "1", "x": CANARY, "CANARY": 1}]).encode()
    env = {"LOG_LEVEL": "DEBUG", "SEND_TIMEOUT": "1", "REQUEST_TIMEOUT": "3", **variables}
    with process(folder, ["-m", "azure_service_bus_sink"], **env) as connector:
        client = connector.listening()
        asked = [whole(f"POST {path}{QUERY} HTTP/1.1", body) for path in paths]
        answers = sent(client, [*asked, *(requests("/good") if "/good" in paths else [])])
        assert connector.end(signal.SIGTERM) == 0
    return [*(answer.decode("latin-1") for answer in answers), connector.output()]


@pytest.mark.parametrize("log_format", FORMATS)
def test_the_service_bus_sink_tells_nobody(
    log_format: str, emulator: Emulator, tmp_path: Path
) -> None:
    """Its key is the secret, and what Service Bus says when it fails holds it, too."""
    for at, fault in enumerate(FAULTS):
        emulator.inject(f"fault-{at}", fault)
    variables = {
        "LOG_FORMAT": log_format,
        "SERVICE_NAMESPACE": emulator.address,
        "SERVICE_SAS_TOKEN_NAME": "all",
        "SERVICE_SAS_TOKEN_VALUE": CANARY,
    }
    paths = ["/good", "/unknown", *(f"/fault-{at}" for at in range(len(FAULTS)))]

    found = service_bus(tmp_path / "process", variables, paths)

    assert_silent(found)
    expected = {"200", "400", "405", "415", "422", "431", "503", "504"}
    assert statuses(each.encode() for each in found[:-1]) >= expected
    assert b"CANARY" in emulator.messages("good")[0].body, "it was sent"


def test_wrong_credentials_are_not_told_either(emulator: Emulator, tmp_path: Path) -> None:
    """A key that Service Bus refuses, a connection string with it, a place where nobody is."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{nobody.getsockname()[1]}"
        refusal = {"SEND_TIMEOUT": "10", "REQUEST_TIMEOUT": "15"}  # comes after two seconds
        wrong = [
            refusal | {"CONNECTION_STRING": CONNECTION.format(emulator.address, f"no-{CANARY}")},
            {"CONNECTION_STRING": CONNECTION.format(away, CANARY)},
            refusal
            | {
                "SERVICE_NAMESPACE": emulator.address,
                "SERVICE_SAS_TOKEN_NAME": "all",
                "SERVICE_SAS_TOKEN_VALUE": f"é{CANARY}",
                "ALLOWED_DESTINATIONS": "queue,other",
            },
        ]
        with ThreadPoolExecutor(3) as pool:
            folders = [tmp_path / str(at) for at in range(len(wrong))]
            found = list(pool.map(service_bus, folders, wrong, [["/queue"]] * 3))

    for texts in found:
        assert_silent(texts)
    found_statuses = [statuses(each.encode() for each in texts[:-1]) for texts in found]
    assert found_statuses == [{"502"}, {"503"}, {"502"}]


BAD_SETTINGS: list[tuple[list[str], dict[str, str]]] = [
    (
        ["NotesSink"],
        dict.fromkeys(
            ("PORT", "LOG_LEVEL", "MAX_BODY_BYTES", "MAX_DEPTH", "THREADS", "CLIENT_TIMEOUT"),
            CANARY,
        ),
    ),
    (["NotesSink"], {"NOTES_FILE": "", "NOTES_TOKEN": CANARY}),
    (["UnopenableSink"], {"NOTES_TOKEN": CANARY}),
    (["NotesSink"], {"NOTES_TOKEN": CANARY, "NOTES_TOKEN_FILE": CANARY}),
    (["NotesSink"], {"NOTES_TOKEN_FILE": CANARY}),
    (["NotesSink"], {"NOTES_TOKEN_FILE": f"/{CANARY}", "LOG_FORMAT": CANARY}),
    (["-m", "azure_service_bus_sink"], {"CONNECTION_STRING": CANARY}),
    (
        ["-m", "azure_service_bus_sink"],
        {"CONNECTION_STRING": f"Endpoint=sb://x.test;SharedAccessKey={CANARY};{CANARY}"},
    ),
    (
        ["-m", "azure_service_bus_sink"],
        {"CONNECTION_STRING": CONNECTION.format("x.test", CANARY), "SERVICE_NAMESPACE": "x"},
    ),
    (["-m", "azure_service_bus_sink"], {"SERVICE_SAS_TOKEN_VALUE": CANARY}),
    (
        ["-m", "azure_service_bus_sink"],
        {
            "SERVICE_NAMESPACE": "x",
            "SERVICE_SAS_TOKEN_VALUE": CANARY,
            "MAX_DESTINATIONS": CANARY,
            "SENDERS": CANARY,
            "ALLOWED_DESTINATIONS": f'["{CANARY}"',
            "ALLOW_PLAIN_AMQP": CANARY,
        },
    ),
]
"""Programs, and variables with which they cannot start."""


def test_settings_that_are_wrong_are_named_without_their_values(tmp_path: Path) -> None:
    """A secret may well be in the wrong variable. Seen to fail when a value is shown."""

    def start(at: int) -> tuple[int, str]:
        command, variables = BAD_SETTINGS[at]
        debug = {"LOG_LEVEL": "DEBUG"} | variables
        with process(tmp_path / str(at), command, **debug) as connector:
            return connector.end(None), connector.output()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(start, range(len(BAD_SETTINGS))))

    assert {code for code, _ in found} == {1, 2}
    assert all(text.strip() for _, text in found)
    assert_silent(text for _, text in found)
