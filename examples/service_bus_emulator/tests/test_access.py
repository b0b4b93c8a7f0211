"""Who gets in: shared access signatures, other tokens, SASL PLAIN."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from azure.core.credentials import AccessToken, AzureSasCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthenticationError

from service_bus_emulator import Emulator, running
from service_bus_emulator.sas import TokenRefused, verify

URI = "sb://host:5672/queue"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with two queues."""
    with running(queues=["queue", "other"]) as made:
        yield made


def token(uri: str, key: str, key_name: str = "name", expires: float | None = None) -> str:
    """Make a shared access signature."""
    expiry = int(time.time() + 60 if expires is None else expires)
    resource = quote_plus(uri)
    digest = hmac.new(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = quote_plus(base64.b64encode(digest))
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={key_name}"


def send_with(emulator: Emulator, signature: str, clients: Any) -> None:
    """Send one message with a ready-made token."""
    credential = AzureSasCredential(signature)
    client = ServiceBusClient(emulator.address, credential, use_tls=False, retry_total=0)
    clients.open(client.get_queue_sender("queue", keep_alive=0)).send_messages(
        ServiceBusMessage("x"), timeout=5
    )


def test_a_wrong_key_is_refused(emulator: Emulator, clients: Any) -> None:
    """A client with another key fails to authenticate, and nothing is stored."""
    wrong = emulator.connection_string.replace(emulator.key, "x" * len(emulator.key))
    sender = clients.client(wrong).get_queue_sender("queue", keep_alive=0)
    with pytest.raises(ServiceBusAuthenticationError):
        clients.open(sender)
    assert emulator.messages("queue") == []


def test_a_wrong_key_name_is_refused(emulator: Emulator, clients: Any) -> None:
    """The key's name counts as well."""
    wrong = emulator.connection_string.replace(emulator.key_name, "Somebody")
    sender = clients.client(wrong).get_queue_sender("queue", keep_alive=0)
    with pytest.raises(ServiceBusAuthenticationError):
        clients.open(sender)


def test_a_ready_made_token_is_accepted(emulator: Emulator, clients: Any) -> None:
    """A token for the queue gives access to the queue."""
    before = len(emulator.messages("queue"))
    uri = f"sb://{emulator.address}/queue"
    send_with(emulator, token(uri, emulator.key, emulator.key_name), clients)
    assert len(emulator.messages("queue")) == before + 1


def test_a_token_for_the_namespace_is_accepted(emulator: Emulator, clients: Any) -> None:
    """A token for the whole namespace gives access to every queue."""
    uri = f"sb://{emulator.address}/"
    send_with(emulator, token(uri, emulator.key, emulator.key_name), clients)


def test_an_expired_token_is_refused(emulator: Emulator, clients: Any) -> None:
    """A token of the past gives no access."""
    uri = f"sb://{emulator.address}/queue"
    old = token(uri, emulator.key, emulator.key_name, expires=time.time() - 1)
    with pytest.raises(ServiceBusAuthenticationError):
        send_with(emulator, old, clients)


def test_a_token_for_another_queue_is_refused(emulator: Emulator, clients: Any) -> None:
    """A token for one queue gives no access to another."""
    uri = f"sb://{emulator.address}/other"
    with pytest.raises(ServiceBusAuthenticationError):
        send_with(emulator, token(uri, emulator.key, emulator.key_name), clients)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (token(URI, "wrong"), "invalid signature"),
        (token(URI, "key", "nobody"), "unknown key"),
        (token(URI, "key", expires=1), "expired"),
        (token("sb://host/queue2", "key"), "another resource"),
        (token("sb://elsewhere/queue", "key"), "another resource"),
        (token(URI, "key").replace("SharedAccessSignature", "Bearer"), "not a shared access"),
        ("SharedAccessSignature sr=a&se=1&skn=b", "not a shared access"),
        ("SharedAccessSignature sr=a&se=1&skn=name&sig=%C3%A6", "not base64"),
        (token(URI, "key").replace("se=", "se=9"), "invalid signature"),
    ],
)
def test_every_refusal_says_why(signature: str, reason: str) -> None:
    """The text says what is wrong with a token, and never repeats the token or the key."""
    with pytest.raises(TokenRefused, match=reason) as refused:
        verify(signature, URI, "name", "key", time.time())
    assert "sig=" not in str(refused.value)
    assert verify(token(URI, "key"), URI, "name", "key", time.time()) > time.time()


class Credential:
    """Stands for Microsoft Entra: gives out a token the emulator cannot verify."""

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        """Return a token of an hour."""
        assert scopes == ("https://servicebus.azure.net//.default",)
        return AccessToken("header.payload.signature", int(time.time()) + 3600)

    def close(self) -> None:
        """Close nothing."""


def test_other_tokens_are_accepted_only_if_told_so(emulator: Emulator, clients: Any) -> None:
    """With accept_jwt any other token is good; without it none is."""

    def send(to: Emulator) -> None:
        client = ServiceBusClient(to.address, Credential(), use_tls=False, retry_total=0)
        sender = clients.open(client.get_queue_sender("queue", keep_alive=0))
        sender.send_messages(ServiceBusMessage("x"), timeout=5)

    with pytest.raises(ServiceBusAuthenticationError):
        send(emulator)
    with running(queues=["queue"], accept_jwt=True) as lenient:
        send(lenient)
        assert len(lenient.messages("queue")) == 1


@pytest.mark.parametrize("key", [None, "CANARY-given"])
def test_the_key_appears_in_no_repr_and_no_log(
    clients: Any,
    caplog: pytest.LogCaptureFixture,
    canary: str,
    assert_silent: Any,
    key: str | None,
) -> None:
    """Neither the emulator nor its parts show the key, given or made, or what a message holds."""
    caplog.set_level(logging.DEBUG, "service_bus_emulator")
    with running(queues=["queue"], key=key) as emulator:
        sent = ServiceBusMessage(canary, application_properties={"authorization": canary})
        clients.sender(emulator, "queue").send_messages(sent, timeout=5)
        parts = [emulator, emulator._access, emulator._core, emulator.stats("queue")]
        assert_silent("\n".join(map(repr, parts)), "a repr")
        assert key in (None, emulator.key)
        assert canary in emulator.key
        assert emulator.key in emulator.connection_string
        (stored,) = emulator.messages("queue")
        assert stored.body == canary.encode()
        assert stored.application_properties == {"authorization": canary}
    own = [record for record in caplog.records if record.name == "service_bus_emulator"]
    assert_silent("\n".join(record.getMessage() for record in own), "the log")


def test_keys_are_random_unless_given() -> None:
    """Two emulators have two keys, long enough not to be guessed."""
    keys = {Emulator(queues=["queue"]).key for _ in range(2)}
    assert len(keys) == 2
    assert min(map(len, keys)) >= 32
