"""TLS: a server that can prove who it is, and one that cannot."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from service_bus_emulator import Emulator

from .support import GUARDED, bodies, local

HOST = "127.83.69.84"
"""An address of its own: the client takes no other port than 5671 for TLS."""


def certificate(folder: Path, address: str) -> Path:
    """A certificate that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    there = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(there, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / f"{address}.pem"
    own = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)
    file.write_bytes(own + made.public_bytes(pem))
    return file


@contextmanager
def in_front_of(emulator: Emulator, file: Path) -> Iterator[list[bytes]]:
    """Speak TLS on the port of Service Bus and pass on what is said; yield what was heard."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    heard: list[bytes] = []
    threads: list[threading.Thread] = []

    def start(work: threading.Thread) -> None:
        threads.append(work)
        work.start()

    def pump(source: socket.socket, target: socket.socket, *, listen: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if listen:
                    heard.append(data)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve(plain: socket.socket) -> None:
        with (
            closing(plain),
            suppress(OSError),
            context.wrap_socket(plain, server_side=True) as near,
            socket.create_connection((emulator.host, emulator.port)) as far,
        ):
            back = threading.Thread(target=pump, args=(far, near), kwargs={"listen": False})
            back.start()
            pump(near, far, listen=True)
            back.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                start(threading.Thread(target=serve, args=(listener.accept()[0],)))

    with socket.create_server((HOST, 5671)) as listener:
        start(threading.Thread(target=accept))
        try:
            yield heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def variables(emulator: Emulator) -> dict[str, str]:
    """The environment for a namespace that is spoken to with TLS."""
    return {
        "CONNECTION_STRING": f"Endpoint=sb://{HOST};SharedAccessKeyName={emulator.key_name};"
        f"SharedAccessKey={emulator.key}",
        "SEND_TIMEOUT": "5",
        **GUARDED,
    }


def test_a_server_that_is_vouched_for_is_spoken_to_with_tls(
    emulator: Emulator, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a certificate that certifi vouches for, messages arrive through TLS."""
    file = certificate(tmp_path, HOST)
    monkeypatch.setattr(certifi, "where", lambda: str(file))
    with in_front_of(emulator, file), local(variables(emulator)) as sink:
        for number in range(2):
            assert sink.post(f"/{queue}", [{"_id": f"{number}"}]).status == 200
    assert len(bodies(emulator, queue)) == 2


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown", "other-name"])
def test_a_server_that_nobody_vouches_for_is_told_nothing(
    emulator: Emulator, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    """An unknown certificate, or one for another name: 503, and not a byte of AMQP was sent.

    Seen to fail when certificates, and when names, are not checked.
    """
    file = certificate(tmp_path, "127.0.0.9" if trusted else HOST)
    if trusted:
        monkeypatch.setattr(certifi, "where", lambda: str(file))
    with in_front_of(emulator, file) as heard, local(variables(emulator)) as sink:
        answer = sink.post(f"/{queue}", [{"_id": "1"}])
    assert answer.status == 503
    assert heard == []
